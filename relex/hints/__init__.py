"""Every hint that relex prints: one module per subject; a test reproduces each problem and follows its hint.

A hint is the end of a message. A command in it works as printed, and is safe: it changes nothing that belongs to
somebody else.
"""
