"""The forms that a table comes in: recognized by content, and read as records of text cells."""
