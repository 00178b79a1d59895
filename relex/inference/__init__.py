"""A loaded checkpoint that turns examples into predictions."""
