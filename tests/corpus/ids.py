"""Ids and names that mean nothing, and how they are reported. `tests/badinput/test_ids.py`."""

LONG = "x" * 100_000

NO_JOB = {
    "j-000000": "j-000000",
    "j": None,  # fits both jobs
    "%": "%",
    "_": "_",
    "j-%": "j-%",
    "@": "@",
    "@first": "@first",
    "@LAST": "@LAST",
    "@last@1": "@last@1",
    LONG: "x" * 40 + "...",
    "'; DROP TABLE jobs; --": "'; DROP TABLE jobs; --",
    "' OR '1'='1": "' OR '1'='1",
    "\\": "\\",
    "조지": "조지",
    "\u202ej-": "·j-",
    "\x1b[31m": "·[31m",
    "j-\n1": "j-·1",
    "../../etc/passwd": "../../etc/passwd",
    "[red]": "[red]",
    "-1": "-1",
    "0": "0",
    "１": "１",
}
"""By what was given: how the error calls it; None where it says that several fit."""

NOT_UNICODE = ("\udcff", "j-\udcff", "r-\ud800", "a\0b", "r-\0")
"""What Postgres cannot even look for: bytes of a command line that are not UTF-8, and NUL."""

EMPTY = ("", " ", "\t", "\u3000")
"""What an unset variable of a script makes of an id."""
EMPTY_SAYS = "the id of the job is empty; `relex jobs` lists them"
