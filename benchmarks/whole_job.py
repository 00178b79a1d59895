"""The cost of everything around the scorer: a whole job and the bare scorer, in turn, on the same rows.

    python benchmarks/whole_job.py --input KLUE_RE/test_data.csv --rows 512 --shape base \
        --database postgresql://postgres@127.0.0.1:5432/test --broker redis://127.0.0.1:6379/15

A job is everything from `relex submit` to the exported CSV: the start of the commands, Postgres, Redis and one Celery
worker of one process, which was started and had loaded the model before. The bare scorer has the same checkpoint, as
many threads, and the same rows in memory. The database must be empty or relex's own; the job remains in it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from relex.benchmark.plan import SHAPES
from relex.benchmark.shapes import load_tokenizer, train_tokenizer, write_random_checkpoint
from relex.domain.examples import Example
from relex.files.reading import read_all_examples
from relex.inference.ensemble import Ensemble, open_scorer
from relex.inference.scorer import Scorer
from relex.model.parity import Parity, write_parity

ROUNDS = 3
NAME = "whole-job"


@click.command()
@click.option("--input", "csv", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--rows", default=512, show_default=True)
@click.option("--shape", default="base", show_default=True, type=click.Choice(list(SHAPES)))
@click.option("--tokenizer", type=click.Path(path_type=Path, exists=True))
@click.option("--database", required=True)
@click.option("--broker", required=True)
def main(csv: Path, rows: int, shape: str, tokenizer: Path | None, database: str, broker: str) -> None:
    """Print the seconds of each round and the ratio of the best ones."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        some = _first_rows(csv, rows, folder / "some.csv")
        examples = read_all_examples(some)
        write_random_checkpoint(
            folder / NAME, SHAPES[shape], load_tokenizer(tokenizer) if tokenizer else train_tokenizer(examples)
        )
        # Random weights would fail the parity check, but only speed is measured here.
        write_parity(folder / NAME, Parity("bfloat16", 1_000, 100.0, 0.0, 0.0, 0.0))
        env = dict(os.environ) | {
            "RELEX_DATABASE_URL": database,
            "RELEX_BROKER_URL": broker,
            "RELEX_HOME": str(folder / "home"),
        }
        _relex(env, "db", "upgrade")
        model = _relex(env, "models", "import", str(folder / NAME))
        scorer = open_scorer(folder / NAME)
        with _worker(env, folder / "worker.log"):
            _job(env, folder, some, model)
            list(scorer.score(examples))
            rounds = [(_bare(scorer, examples), _job(env, folder, some, model)) for _ in range(ROUNDS)]
    for bare, job in rounds:
        click.echo(f"scorer {bare:.1f} s   job {job:.1f} s   {job / bare:.3f}")
    best = [min(times) for times in zip(*rounds, strict=True)]
    click.echo(f"best of each: {best[1] / best[0]:.3f} times the scorer's own time, {rows} rows of shape {shape}")


def _first_rows(csv: Path, rows: int, to: Path) -> Path:
    """Copy the first rows of a CSV in which no row has a line break."""
    lines = csv.read_text("utf-8").splitlines(keepends=True)
    to.write_text("".join(lines[: rows + 1]), "utf-8")
    return to


def _bare(scorer: Scorer | Ensemble, examples: Sequence[Example]) -> float:
    start = time.perf_counter()
    for _ in scorer.score(examples):
        pass
    return time.perf_counter() - start


def _job(env: dict[str, str], folder: Path, csv: Path, model: str) -> float:
    """Time a job; `--fresh`, because the predictions of the round before would be reused."""
    start = time.perf_counter()
    _relex(env, "submit", str(csv), "--model", model, "--fresh", "--quiet", "--export", str(folder / "out"))
    return time.perf_counter() - start


def _relex(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@contextmanager
def _worker(env: dict[str, str], log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "cli.main", "worker", "--queues", "score", "--concurrency", "1"]
    with log.open("w") as output, subprocess.Popen(command, env=env, stdout=output, stderr=output) as worker:
        try:
            yield
        finally:
            worker.terminate()


if __name__ == "__main__":
    main()
