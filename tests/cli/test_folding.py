"""Messages on terminals of several widths: no line breaks within a word, and what is copied works."""

import os
import pty
import re
import shlex
import subprocess
import sys

import pytest
from rich.cells import cell_len

from cli.folding import EXCERPT, fold
from relex.hints import next_steps
from relex.hints import tables as hints
from tests.files.real_life import KOREAN_WORDS, WORD_ROWS, separated
from tests.processes import environment

WIDTHS = (40, 60, 80, 100)
MESSAGES = (
    "note: columns 번호, 문장, 주체, 주체_유형, 객체, 객체_유형 are read as id, sentence, subject_word",
    "error: /home/somebody/a/long/folder/of/files/june.csv: cannot be read: No such file or directory; check the name",
    "  line 2, id a  subject_word: '김하늘' occurs several times in the sentence, and no offset says which is meant",
    "j-2t8741 is still running; `relex status j-2t8741 --follow` follows it, `relex cancel j-2t8741` cancels it",
    hints.columns(["sentence", "subject_entity", "object_entity"]),
    hints.choose_column("sentence", ["내 문장", "text"]),
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_broken_between_words_only(message, width):
    lines = fold(message, width).split("\n")
    assert " ".join(line.strip() for line in lines).split() == message.split()
    for line in lines:
        assert cell_len(line) <= width or len(re.findall(r"`[^`]*`|--\S+ (?:'[^']*'|[^\s'])+|\S+", line)) == 1
    copied = re.findall(r"`[^`]+`|--[\w-]+ (?:'[^']*'|[^\s'])+", message)
    assert all(any(each in line for line in lines) for each in copied)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_command_over_several_lines_is_the_same_command(width):
    hint = next_steps.export_for_review("j-2t8741", "my outputs")
    lines = fold(hint, width).split("\n")
    assert (len(lines) > 1) == (cell_len(hint) > width)
    assert all(cell_len(line) <= width for line in lines)
    script = "\n".join(lines).removeprefix("hint: ").replace("relex", "printf '%s\\n'", 1)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == shlex.split(hint)[2:]


def test_an_excerpt_keeps_its_lines():
    text = f"{EXCERPT}김하늘은 김하늘의 회사 푸른소리를 세웠다.\n{EXCERPT}~~~~~~  at 0-2, 5-7 and 9 other places"
    assert fold(text, 30) == text


def printed_at(width, arguments, cwd):
    """The lines that a terminal of this width receives."""
    leader, follower = pty.openpty()
    env = environment(home=cwd / "home") | {"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments], env=env, cwd=cwd, stdout=follower, stderr=follower
    )
    os.close(follower)
    text = b""
    while True:
        try:
            block = os.read(leader, 4096)
        except OSError:  # the other side is closed
            break
        text += block
    process.wait()
    os.close(leader)
    return text.decode().replace("\r", "").splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_a_terminal_receives_lines_that_fit(tmp_path, width):
    rows = [[*row[:3], "인물", *row[4:]] for row in WORD_ROWS]
    (tmp_path / "june.csv").write_bytes(separated(KOREAN_WORDS, rows, ";").encode("cp949"))
    lines = printed_at(width, ["data", "split", "june.csv", "--out", "out"], tmp_path)
    assert any(line.startswith("note: columns 번호") for line in lines)
    assert any(line.startswith("error: june.csv: 3 of 3 rows have no gold label") for line in lines)
    assert max(map(cell_len, lines)) <= width
    lines = printed_at(width, ["data", "split", "somewhere/in/a/folder/of/files/june.csv", "--out", "out"], tmp_path)
    assert max(map(cell_len, lines)) <= width
    assert any("directory;" in line.split() for line in lines)
