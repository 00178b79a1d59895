"""Scorers against each other: the same rows, in turn, in one run, in ratios that hold on a noisy machine."""
