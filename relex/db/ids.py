"""Short ids that a person can read aloud, and finding the one meant by a prefix or by `@last`."""

import secrets

from sqlalchemy import Table, select

from relex.db.connection import Transaction
from relex.errors import NotFound

# Crockford's base 32: no i, l, o, u to misread. Six of them: a thousand million ids.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 6
LAST = "@last"


def new_id(tx: Transaction, table: Table, letter: str) -> str:
    """An id such as j-7k3f9q that the table does not hold yet."""
    while True:
        fresh = f"{letter}-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if tx.execute(select(table.c.id).where(table.c.id == fresh)).first() is None:
            return fresh


def find_id(tx: Transaction, table: Table, given: str, missing: type[NotFound]) -> str:
    """The id that `given` means: itself, a prefix of exactly one, or `@last`.

    Raises:
        NotFound: of the type `missing`; nothing fits, or several do (they are named).
    """
    newest_first = select(table.c.id).order_by(table.c.seq.desc())
    if given == LAST:
        found = list(tx.scalars(newest_first.limit(1)))
    else:
        found = list(tx.scalars(newest_first.where(table.c.id.startswith(given, autoescape=True)).limit(5)))
    if given in found or len(found) == 1:
        return given if given in found else found[0]
    if found:
        raise missing(f"{given} fits several of {table.name}: {', '.join(found)}")
    if given == LAST:
        raise missing(f"there are no {table.name} yet")
    raise missing(f"no {table.name} with the id {given}")
