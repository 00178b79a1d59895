"""What a person does with a hint: fills in the words in capitals and pastes the line into a shell."""

import subprocess
import sys
from pathlib import Path

PRELUDE = """
sudo() { "$@"; }
"""
"""These machines have no sudo; tests of what it is needed for run as root."""


def pasted(hint, env, words=(), *, stdin="", prelude=PRELUDE, user=None):
    """Run a hint and return the environment of the shell after it."""
    for word, value in dict(words).items():
        assert word in hint
        hint = hint.replace(word, value)
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euc", f"{prelude}\n{hint}\nprintf '\\0'; env --null"],
        env=env | {"PATH": f"{programs}:{env['PATH']}"},
        cwd="/",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,  # no terminal: a question for a password reads stdin
        user=user,
    )
    assert done.returncode == 0, (hint, done.stdout, done.stderr)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
