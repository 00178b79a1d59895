"""Labeled files before any training: descriptions, charts and splits."""
