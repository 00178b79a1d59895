"""Scoring of packs: linear layers on all tokens at once, attention within each example."""
