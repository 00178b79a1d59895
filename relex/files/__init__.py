"""Reading and writing CSV files: the only package that knows column names and inclusive end offsets."""
