"""The `relex` command: click, and nothing but talk."""
