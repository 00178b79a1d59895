"""The `relex` command: one module for each family of commands, and what they share; click is used only here."""
