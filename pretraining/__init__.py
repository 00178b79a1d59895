"""Pre-training of a Korean encoder on plain text; not installed with relex."""
