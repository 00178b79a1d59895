"""`python -m pretraining tokenizer|encode|train --config FILE --out FOLDER`: the three steps, in this order."""

import argparse
import logging
from pathlib import Path

from pretraining.config import read_config
from pretraining.encoding import encode
from pretraining.tokenizer import make_tokenizer
from pretraining.training import train
from relex.errors import RelexError


def main() -> None:
    """Run one step of the command line."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("step", choices=["tokenizer", "encode", "train"])
    parser.add_argument("--config", type=Path, required=True, help="cpu.yaml, h100.yaml or your own")
    parser.add_argument("--out", type=Path, default=Path("pretrained"), help="folder of all results")
    parser.add_argument("--steps", type=int, help="number of steps, instead of schedule.steps")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        config = read_config(arguments.config, arguments.steps)
        arguments.out.mkdir(parents=True, exist_ok=True)
        if arguments.step == "tokenizer":
            make_tokenizer(config, arguments.out)
        elif arguments.step == "encode":
            encode(config, arguments.out)
        else:
            train(config, arguments.out, arguments.device)
    except RelexError as exc:
        parser.exit(1, f"error: {exc}\n")


if __name__ == "__main__":
    main()
