"""A Postgres for a machine that has none: the first process starts it, the last one stops it.

Callers need `users.use` and, for `relex doctor`, `description.describe`. The other modules, from the bottom up:
`layout` (paths and programs), `account` (the user that runs them), `locks` (which processes are alive), `cluster` (all
of these as one value), `creation` and `server` (create, start and stop).
"""
