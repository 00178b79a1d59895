"""CSV in and CSV out: the only room that knows column names and inclusive ends.

A record is what the file holds between two line ends; it becomes an Example once it is found good.
`checking` tells what a file is worth, `reading` streams its good records as examples, `describing` puts faults
into words, `writing` takes predictions out. Standard library only, one record at a time: `relex submit` starts
fast, and ten million records need no more memory than ten.
"""
