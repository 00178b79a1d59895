"""All advice that relex prints: one module per subject; a test reproduces each problem and follows its hint.

A hint is the end of a message. What it says to type works as printed, and is safe: it changes nothing that is not the
person's own.
"""
