"""Short ids that a person can read aloud, and finding the one meant by a prefix or by `@last`."""

import secrets

from sqlalchemy import Table, select, union_all

from relex.db.connection import Transaction
from relex.db.tables import jobs, runs
from relex.errors import InvalidInput, NotFound, shortened
from relex.hints import jobs as hints

# Crockford's base 32: no i, l, o, u to misread. Six of them: a thousand million ids.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 6
LAST = "@last"
WORDS = {jobs: "job", runs: "training run"}
LIST = {jobs: hints.list_jobs, runs: hints.list_runs}
KEPT = jobs.c.purged_at.is_(None)
"""Of a job that is being purged not even the id is known any more."""


def new_id(tx: Transaction, table: Table, letter: str) -> str:
    """An id such as j-7k3f9q that the table does not hold yet."""
    while True:
        fresh = f"{letter}-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if tx.execute(select(table.c.id).where(table.c.id == fresh)).first() is None:
            return fresh


def is_run(given: str) -> bool:
    """Whether an id, or a beginning of one, is that of a training run; all others are jobs'."""
    return given.startswith("r-")


def refuse_run(given: str, done: str) -> None:
    """Where only a job can be meant.

    Raises:
        InvalidInput: the id is that of a training run, which cannot be `done`.
    """
    if is_run(given):
        raise InvalidInput(f"{given} is a training run: only jobs can be {done}; {hints.list_jobs()}")


def find_id(tx: Transaction, table: Table, given: str, missing: type[NotFound]) -> str:
    """The id that `given` means: itself, a prefix of exactly one, or `@last`.

    Raises:
        NotFound: of the type `missing`; nothing fits, or several do (they are named). Nothing fits an empty id:
            a script whose variable is unset must not get whichever job there is.
    """
    if not given.strip():
        raise missing(f"the id of the {WORDS[table]} is empty; {LIST[table]()}")
    newest_first = select(table.c.id).order_by(table.c.seq.desc())
    if table is jobs:
        newest_first = newest_first.where(KEPT)
    if given == LAST:
        found = list(tx.scalars(newest_first.limit(1)))
    else:
        found = list(tx.scalars(newest_first.where(table.c.id.startswith(given, autoescape=True)).limit(5)))
    if given in found or len(found) == 1:
        return given if given in found else found[0]
    if found:
        raise missing(f"{shortened(given)} fits several {WORDS[table]}s: {', '.join(found)}; give more of one")
    if given == LAST:
        raise missing(f"there are no {WORDS[table]}s yet")
    raise missing(f"no {WORDS[table]} has the id {shortened(given)}; {LIST[table]()}")


def last_id(tx: Transaction) -> str:
    """What `@last` means where a job or a training run may be named: the newest of all.

    Raises:
        NotFound: there are none.
    """
    both = union_all(select(jobs.c.id, jobs.c.seq).where(KEPT), select(runs.c.id, runs.c.seq)).subquery()
    found = tx.scalar(select(both.c.id).order_by(both.c.seq.desc()).limit(1))
    if found is None:
        raise NotFound("there are no jobs and no training runs yet")
    return str(found)
