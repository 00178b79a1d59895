"""Pre-training of a Korean encoder on plain text; stands beside relex and is not installed with it."""
