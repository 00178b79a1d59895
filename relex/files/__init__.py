"""Every file format in and out: the only room that knows column names and inclusive ends."""
