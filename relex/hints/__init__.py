"""What relex advises, in one place: a room for each subject, and each hint is run by a test against its cause.

A hint is the end of a message. What it says to type works as printed, and is safe: it changes nothing that is not the
person's own.
"""
