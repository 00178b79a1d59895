"""A Postgres for a machine that has none: started by the first who needs it, stopped by the last who leaves.

Callers want `users.use` and, for `relex doctor`, `description.describe`. The rest, from the ground up: `binaries`
(what runs), `account` (as whom), `places` and `sockets` (where), `locks` (who is there), `cluster` (all of these
as one value), `creation` and `server` (how).
"""
