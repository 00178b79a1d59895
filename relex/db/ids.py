"""Short ids that a person can read aloud; a unique prefix or `@last` stands for a whole id."""

import secrets

from sqlalchemy import Table, select, union_all

from relex.db.connection import Transaction
from relex.db.tables import jobs, runs
from relex.errors import NotFound, shortened
from relex.hints import jobs as hints

# Crockford's base 32: no i, l, o, u to misread. Six of them: about a billion ids.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 6
LAST = "@last"
WORDS = {jobs: "job", runs: "training run"}
LIST = {jobs: hints.list_jobs, runs: hints.list_runs}
NOT_PURGED = jobs.c.purged_at.is_(None)
"""Condition that hides jobs that are being purged, ids included."""


def new_id(tx: Transaction, table: Table, letter: str) -> str:
    """Return an id such as j-7k3f9q that the table does not contain yet."""
    while True:
        fresh = f"{letter}-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if tx.execute(select(table.c.id).where(table.c.id == fresh)).first() is None:
            return fresh


def is_run(ref: str) -> bool:
    """Return whether an id, or a prefix of one, is that of a training run; all others are of jobs."""
    return ref.startswith("r-")


def find_id(tx: Transaction, table: Table, ref: str, missing: type[NotFound]) -> str:
    """Return the id that a reference stands for: a whole id, the prefix of exactly one, or `@last`.

    Raises:
        NotFound: of the type `missing`; nothing matches, or several do (the message names them). Nothing matches an
            empty reference: a script with an unset variable must not get whichever job there is.
    """
    if not ref.strip():
        raise missing(f"the id of the {WORDS[table]} is empty; {LIST[table]()}")
    newest_first = select(table.c.id).order_by(table.c.seq.desc())
    if table is jobs:
        newest_first = newest_first.where(NOT_PURGED)
    if ref == LAST:
        matches = list(tx.scalars(newest_first.limit(1)))
    else:
        matches = list(tx.scalars(newest_first.where(table.c.id.startswith(ref, autoescape=True)).limit(5)))
    if ref in matches or len(matches) == 1:
        return ref if ref in matches else matches[0]
    if matches:
        raise missing(f"{shortened(ref)} matches several {WORDS[table]}s: {', '.join(matches)}; use a longer prefix")
    if ref == LAST:
        raise missing(f"there are no {WORDS[table]}s yet")
    raise missing(f"no {WORDS[table]} has the id {shortened(ref)}; {LIST[table]()}")


def last_id(tx: Transaction) -> str:
    """Return what `@last` stands for where jobs and training runs are accepted: the newest of them all.

    Raises:
        NotFound: there are none.
    """
    both = union_all(select(jobs.c.id, jobs.c.seq).where(NOT_PURGED), select(runs.c.id, runs.c.seq)).subquery()
    newest = tx.scalar(select(both.c.id).order_by(both.c.seq.desc()).limit(1))
    if newest is None:
        raise NotFound("there are no jobs and no training runs yet")
    return str(newest)
