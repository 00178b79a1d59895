"""`relex bench` with OpenVINO's engines added: the same rows, the same table and the same JSON.

OpenVINO and NNCF are not part of relex; install them into its environment first:

    .venv/bin/pip install openvino==2026.4.1 nncf==3.4.0
    .venv/bin/python -m benchmarks.compare_openvino --input KLUE_RE/test_data.csv --tokenizer KLUE_TOKENIZER
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from cli.bench import bench_parts
from cli.tables import print_parts
from relex.benchmark.benchmark import run_benchmark
from relex.benchmark.engines import FACTORIES
from relex.benchmark.plan import SHAPES, Engine, EngineFactory, EngineInfo, EngineSettings, EngineUnavailable, Plan
from relex.benchmark.report import Report, report_data
from relex.errors import RelexError
from relex.files.reading import read_all_examples
from relex.settings import Settings

PACKAGES = ("openvino==2026.4.1", "nncf==3.4.0")
"""What to install for all engines."""


def open_bf16(settings: EngineSettings) -> Engine:
    """Open OpenVINO in 16 bit."""
    with _installation_hint():
        from benchmarks import openvino_engines  # noqa: PLC0415 - the package may be missing
    return openvino_engines.open_bf16(settings)


def open_int8(settings: EngineSettings) -> Engine:
    """Open OpenVINO in 8 bit, quantized by NNCF."""
    with _installation_hint():
        from benchmarks import openvino_engines  # noqa: PLC0415 - the package may be missing

        return openvino_engines.open_int8(settings)


ALL_FACTORIES: Mapping[str, EngineFactory] = {
    **FACTORIES,
    "openvino-bf16": EngineFactory(EngineInfo("OpenVINO, by length, asynchronous"), open_bf16),
    "openvino-int8": EngineFactory(EngineInfo("the same, quantized by NNCF"), open_int8),
}


def main() -> int:
    """Measure all engines and print the table, or JSON."""
    options = parser().parse_args()
    plan = Plan(
        engines=tuple(dict.fromkeys(options.engines.split(","))),
        passes=options.passes,
        shape=options.shape,
        tokenizer=options.tokenizer,
        checkpoint=options.checkpoint,
        device=Settings.from_env().device,
    )
    if unknown := [name for name in plan.engines if name not in ALL_FACTORIES]:
        parser().error(f"no engine {unknown[0]!r}; the engines are {', '.join(ALL_FACTORIES)}")
    report = measure(options.input, options.rows, plan)
    if options.json:
        print(json.dumps(report_data(report)))  # noqa: T201 - a script's output
    else:
        print_parts(bench_parts(report), separator="\n\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Define the options: those of `relex bench`, with a folder in place of a registered model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, default=Path("data/test_data.csv"), help="CSV with the rows to score")
    parser.add_argument("--rows", type=int, default=256, help="number of rows")
    parser.add_argument("--shape", choices=list(SHAPES), default="base", help="size of random weights")
    parser.add_argument("--checkpoint", type=Path, help="folder of a checkpoint to use instead of random weights")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer.json; default: trained on the rows")
    parser.add_argument("--passes", type=int, default=3, help="number of passes; the first one is cold")
    parser.add_argument("--engines", default=",".join(ALL_FACTORIES), help="engines to measure, separated by commas")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def measure(csv: Path, rows: int, plan: Plan) -> Report:
    """Run the benchmark on the first rows of a CSV; progress goes to stderr."""
    start = perf_counter()
    examples = read_all_examples(csv)
    reading = len(examples) / (perf_counter() - start)
    report = run_benchmark(plan, examples[:rows], lambda line: print(line, file=sys.stderr), ALL_FACTORIES)  # noqa: T201
    return replace(report, reading=reading)


@contextmanager
def _installation_hint() -> Iterator[None]:
    """Leave an engine out where one of the two packages is missing, and report how to install them."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in {"openvino", "nncf"}:
            raise
        raise EngineUnavailable(f"{error.name} is not installed; pip install {' '.join(PACKAGES)}") from error


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RelexError as error:
        sys.exit(f"error: {error}")
