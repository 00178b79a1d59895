"""The checks of `relex doctor`, one module a subject; they change nothing."""
