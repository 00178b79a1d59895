"""Hyperparameter tuning: the search space, studies and trials, kept by Optuna."""
