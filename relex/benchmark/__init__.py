"""Scoring engines measured on the same rows in one run, as ratios that hold on a noisy machine."""
