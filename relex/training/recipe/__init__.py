"""Recipes: YAML files read into one checked configuration."""
