"""Words that relex no longer uses, in code, comments, help, messages and docs.

`python -m tests.house.test_words PATH...` prints the offenders of some files or folders; without a path, all of them.
An identifier is read as its words: `DeadWorker`, `dead_worker` and "dead worker" are the same two words. Help and
messages stand in the code that prints them, so they are read there.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "cli",
    "web",
    "relex",
    "worker",
    "migrations",
    "pretraining",
    "benchmarks",
    "deploy",
    "docker",
    "tests",
    "docs",
)
SINGLE_FILES = ("README.md", "data/README.md", "Makefile", "Dockerfile", "docker-compose.yml", "pyproject.toml")
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".sql", ".html", ".css", ".js"}

ANYWHERE = {
    # retired: what to write in its place. Spaces match any white space, also over the end of a line.
    r"(?<!segmentation.)(?<!page.)faults?(?! injection)": "error, problem (of a row), failure",
    r"told|tells?|telling": "report, print, say, show",
    r"mend(s|ed|ing|able)?": "fix",
    r"remed(y|ies)": "fix, suggestion, hint",
    r"wak(e|es|ing)|woke|woken": "import, load, notify",
    r"ballot\w*": "ensemble report, votes",
    r"rehears\w*": "smoke test",
    r"contest(s|ant|ants)?": "benchmark, engine",
    r"looks? on|looked on|looking on": "follow",
    r"go(es|ing)? on|went on|gone on": "continue, resume",
    r"h(old|olds|olding|eld) up": "pause, block",
    r"persist(s|ed|ing)?": "retry until written, store",
    r"convict(s|ed|ion)?": "quarantine",
    r"guilty": "crashing",
    r"suspects?": "crashing",
    r"vitals?": "heartbeat",
    r"judg(e|es|ed|ing|ement|ements|ment|ments)": "evaluate, evaluation",
    r"verdicts?": "result, evaluation report",
    r"bur(y|ies|ied|ying)": "fail (stale trials)",
    r"silent": "stalled (worker), idle (client)",
    r"gates?": "parity check",
    r"leftovers?": "stale workspaces",
    r"answered": "reused, replied",
    r"answer keys?": "cache key",
    r"benching": "benchmark",
    r"teller": "printer",
    r"(keep|keeps|kept) out(?! of)": "lock",
    r"before (its|their) time": "cancel",
    r"again and again": "repeatedly",
    r"lies there": "exists, is there",
    r"of before": "earlier, from an earlier version",
    r"bears? with|bore with": "wait, tolerate",
    r"asleep|(torch|celery|transformers) sleeps?": "not imported",
}

NAMES = {
    # retired in identifiers only: in a sentence these are ordinary English
    r"elsewhere": "generalization scores",
    r"stretch(es)?": "segment",
    r"widening": "FeedForwardIn",
    r"drafts?": "staging",
    r"findings?": "checks, CheckResult",
    r"unfinished": "workspace",
    r"far apart": "on_overflow",
    r"hide entities": "entity_mask_prob",
    r"windows? cut": "truncated",
    r"added and normed": "AddNorm",
    r"guesser": "MaskedLanguageModel",
    r"look over": "check_files",
    r"misread": "ReadingMismatch",
    r"for eyes": "for_excel",
    r"logbook": "TrainingHistory",
    r"keeper": "CheckpointCallback",
    r"workplace": "TrainingPaths",
    r"learned": "TrainedClassifier",
    r"by pack": "pack_best_fit",
    r"home of": "version_dir",
    r"voted": "VoteScores",
    r"assembled": "EnsembleEvaluation",
    r"pulse": "Heartbeat",
    r"verbs?": "job control, command",
}

EXACT_NAMES = {
    # retired as whole identifiers, case included
    r"Ours|Stock|intel": "RelexEngine, PipelineEngine, OpenVinoEngine",
    r"Material|Launcher": "TrainingData, DistributedLauncher",
    r"FROM_BELOW|GONE|DIED|BROKEN": "DRIVER_ERRORS, CONNECTION_ERRORS, STALE, ERROR",
    r"PATIENCE|(\w+_)?(MOST|LEAST|LONGEST|SHORTEST|LARGEST|SMALLEST|FEWEST|DEEPEST)(_\w+)?": "MAX_…, MIN_…, …_TIMEOUT",
}

EXACT_NAMES_OUTSIDE_TESTS = {
    # Hypothesis has its own `given`, and a test may keep what it `found`
    r"given|found|asked|known|kept|held|taken|wanted": "a noun that says what it holds",
    r"talk|opened|lay": "stderr_console, open_app, collate_packed",
}

LITERALS = {
    # retired keys, options and commands, exactly as they were typed
    r"far_apart": "on_overflow",
    r"hide_entities": "entity_mask_prob",
    r"windows?_cut\b": "truncated_rows, truncated",
    r"micro_f1_(shifted|new)\b": "micro_f1_reweighted, micro_f1_unseen",
    r"search_focal": "tune_focal",
    r"\brelex search\b|^search:": "relex tune, tuning:",
    r"--contestants?\b": "--engines",
}

EXEMPTIONS = {
    # path prefix: the words that are allowed there, and the reason
    "tests/house/test_words.py": (r".*", "the list itself"),
    "tests/faults/": (r"faults?", "fault injection is the field's word"),
    "docs/faults.md": (r"faults?", "fault injection is the field's word"),
    "docs/measurements/faults.md": (r"faults?", "fault injection is the field's word"),
    "relex/tuning/": (r"tells?|told", "Optuna's interface is called ask and tell"),
}

# The fault injection suite is called by its folder or by its target in the Makefile; files have a method `tell()`.
ALLOWED = re.compile(
    r"tests[./]faults|measurements/faults|docs/faults|faults\.md|make faults|^faults:|test faults|\.tell\(\)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Offender:
    """One retired word where it stands."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        """Return the offender as an editor can jump to it."""
        return f"{self.path}:{self.line}: {self.word} (write: {self.instead})"


def offenders(paths: Iterable[Path]) -> list[Offender]:
    """Return every retired word of some files or folders, in order of path and line."""
    found = {
        (path, line, word.lower()): Offender(path, line, word, instead)
        for file in _files(paths)
        for path in [file.resolve().relative_to(ROOT).as_posix()]
        for line, word, instead in _words(path, file.read_text("utf-8"))
        if not _is_exempt(path, word)
    }
    return [found[key] for key in sorted(found)]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        members = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (each for each in members if each.is_file() and (each.suffix in SUFFIXES or each == path))


def _is_exempt(path: str, word: str) -> bool:
    allowed = (words for prefix, (words, _) in EXEMPTIONS.items() if path.startswith(prefix))
    return any(re.fullmatch(words, word, re.IGNORECASE) for words in allowed)


def _words(path: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and replacement of every retired word; line 0 is the name of the file."""
    yield from ((0, word, instead) for _, word, instead in _in_text(path))
    yield from _in_text(text)
    for match in LITERAL.finditer(text):
        yield _line(text, match), match.group(), _instead(match, LITERALS)
    if path.endswith(".py"):
        instead_of = _in_test_name if path.startswith("tests/") else _in_name
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and (instead := instead_of(token.string)):
                yield token.start[0], token.string, instead


def _in_text(text: str) -> Iterator[tuple[int, str, str]]:
    text = ALLOWED.sub(lambda match: "-" * len(match.group()), _split(text))
    for match in WORD.finditer(text):
        yield _line(text, match), re.sub(r"\s[\s#]*", " ", match.group()), _instead(match, ANYWHERE)


@cache
def _in_name(name: str) -> str | None:
    """Return what to write in place of an identifier, None if it is no retired one."""
    if match := OUTSIDE_TESTS.fullmatch(name):
        return _instead(match, EXACT_NAMES_OUTSIDE_TESTS)
    return _in_test_name(name)


@cache
def _in_test_name(name: str) -> str | None:
    if match := EXACT_NAME.fullmatch(name):
        return _instead(match, EXACT_NAMES)
    match = NAME.search(_split(name))
    return _instead(match, NAMES) if match else None


def _any_of(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """Compile one pattern whose group number, less one, is the place of the alternative that matched."""
    return re.compile("|".join(f"({pattern})" for pattern in patterns), flags)


def _instead(match: re.Match[str], table: dict[str, str]) -> str:
    return list(table.values())[(match.lastindex or 1) - 1]


def _plain(pattern: str) -> str:
    """Write a pattern without groups of its own, and let its spaces run over the end of a line or of a comment's."""
    return re.sub(r"\((?!\?)", "(?:", pattern).replace(" ", r"\s+(?:#\s*)?")


WORD = _any_of((rf"\b(?:{_plain(each)})\b" for each in ANYWHERE), re.IGNORECASE)
NAME = _any_of((rf"\b(?:{_plain(each)})\b" for each in NAMES), re.IGNORECASE)
EXACT_NAME = _any_of(map(_plain, EXACT_NAMES))
OUTSIDE_TESTS = _any_of(map(_plain, EXACT_NAMES_OUTSIDE_TESTS))
LITERAL = _any_of(map(_plain, LITERALS), re.MULTILINE)


def _split(text: str) -> str:
    """Write identifiers as their words, and keep the lines."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ")


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def everything() -> list[Path]:
    """Return all folders and files whose words people read."""
    return [path for path in (ROOT / name for name in (*ROOMS, *SINGLE_FILES)) if path.exists()]


def test_no_retired_word_is_left():
    lines = [str(offender) for offender in offenders(everything())]
    assert not lines, f"{len(lines)} retired words:\n" + "\n".join(lines)


def test_an_identifier_a_comment_and_a_phrase_over_two_lines_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    text = "class WorkerFault: ...\n# The job goes\n# on.\nremedy_of = 'default'\nfound = 1\n"
    (tmp_path / "room.py").write_text(text, "utf-8")
    lines = [(each.line, each.word) for each in offenders([tmp_path / "room.py"])]
    assert lines == [(1, "Fault"), (2, "goes on"), (4, "remedy"), (5, "found")]


if __name__ == "__main__":
    listed = offenders([Path(each) for each in sys.argv[1:]] or everything())
    sys.stdout.write("".join(f"{offender}\n" for offender in listed))
    sys.exit(bool(listed))
