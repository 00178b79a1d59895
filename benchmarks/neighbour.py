"""How much of its speed a scorer keeps beside a busy process: with and without one, in turn, on the same rows.

    python benchmarks/neighbour.py --input KLUE_RE/test_data.csv --rows 128 --shape base

The neighbor is a process in a busy loop, bound to one of this process's cores.
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
import torch

from relex.benchmark.plan import SHAPES
from relex.benchmark.shapes import load_tokenizer, train_tokenizer, write_random_checkpoint
from relex.domain.examples import Example
from relex.files.reading import read_all_examples
from relex.inference.scorer import Scorer
from relex.model.devices import half_precision

ROUNDS = 4
BUSY_LOOP = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


@click.command()
@click.option("--input", "csv", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--rows", default=128, show_default=True)
@click.option("--shape", default="base", show_default=True, type=click.Choice(list(SHAPES)))
@click.option("--tokenizer", type=click.Path(path_type=Path, exists=True))
def main(csv: Path, rows: int, shape: str, tokenizer: Path | None) -> None:
    """Print rows per second of each round, and the ratio of the best ones."""
    examples = read_all_examples(csv)[:rows]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / shape
        write_random_checkpoint(
            folder, SHAPES[shape], load_tokenizer(tokenizer) if tokenizer else train_tokenizer(examples)
        )
        scorer = Scorer(folder, "cpu", half_precision(torch.device("cpu")))
    _speed(scorer, examples)
    quiet, busy = [], []
    for _ in range(ROUNDS):
        quiet.append(_speed(scorer, examples))
        with _neighbor():
            busy.append(_speed(scorer, examples))
        click.echo(f"quiet {quiet[-1]:.1f} rows/s   beside a neighbor {busy[-1]:.1f} rows/s")
    cores = len(os.sched_getaffinity(0))
    click.echo(
        f"best of each: {max(busy) / max(quiet):.2f} of the quiet speed is kept, {cores} cores, one of them busy"
    )


def _speed(scorer: Scorer, examples: Sequence[Example]) -> float:
    start = time.perf_counter()
    for _ in scorer.score(examples):
        pass
    return len(examples) / (time.perf_counter() - start)


@contextmanager
def _neighbor() -> Iterator[None]:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", BUSY_LOOP, str(core)]) as neighbor:
        try:
            yield
        finally:
            neighbor.kill()


if __name__ == "__main__":
    main()
