"""Reading tables of every form and writing results: the only package that knows the columns of files."""
