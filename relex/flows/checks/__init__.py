"""The checks of `relex doctor`, one module for each subject; they change nothing."""
