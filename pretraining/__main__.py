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
    """Read the command line and take one step."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("step", choices=["tokenizer", "encode", "train"])
    parser.add_argument("--config", type=Path, required=True, help="cpu.yaml, h100.yaml or your own")
    parser.add_argument("--out", type=Path, default=Path("pretrained"), help="the folder of all that is made")
    parser.add_argument("--steps", type=int, help="end after so many steps, in place of the file's")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        config = read_config(asked.config, asked.steps)
        asked.out.mkdir(parents=True, exist_ok=True)
        if asked.step == "tokenizer":
            make_tokenizer(config, asked.out)
        elif asked.step == "encode":
            encode(config, asked.out)
        else:
            train(config, asked.out, asked.device)
    except RelexError as fault:
        parser.exit(1, f"error: {fault}\n")


if __name__ == "__main__":
    main()
