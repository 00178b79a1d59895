"""Searching for better settings: what a recipe may vary, and the trials of a study, which Optuna keeps."""
