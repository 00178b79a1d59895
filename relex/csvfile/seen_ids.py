"""Which ids a file has used so far, on disk.

Ten million ids as Python strings take about a gigabyte. SQLite's nameless database is a temporary file that
is only written once it outgrows its cache, and is gone when closed.
"""

import sqlite3
from contextlib import AbstractContextManager

from relex.errors import Transient

CACHE_KIB = 64 * 1024


class SeenIds(AbstractContextManager["SeenIds"]):
    """A set of ids that remembers the line of each one's first use."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")
        self._cursor = self._database.cursor()

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def first_use(self, id_: str, line: int) -> int:
        """The line on which this id came first: `line` itself for a new one, which is then remembered.

        Raises:
            Transient: the folder for temporary files is full.
        """
        try:
            self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, line))
        except sqlite3.OperationalError as fault:
            raise Transient(
                f"ids cannot be kept in the temporary folder: {fault}; set TMPDIR to a larger one"
            ) from fault
        if self._cursor.rowcount:
            return line
        found = self._cursor.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return int(found[0])
