"""Whether a checkpoint may be scored in 16 bit: measured once, on labelled examples, before it is registered.

16 bit is twice as fast and more, and changes probabilities in the third digit. How often that changes a label depends
on the checkpoint, so the checkpoint carries the answer. Pure, no tensor: `relex.registry.parity_check` measures.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from relex.errors import BadCheckpoint
from relex.model.folder import MODEL_CARD, PARITY, read_json

LEAST_AGREEMENT = 99.0
"""Per cent of the examples that must keep their label."""
MOST_LOST = 0.3
"""Points of micro-F1 that may be lost."""
LEAST_EXAMPLES = 200
"""Fewer could not tell 99 % from 97 %."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Scores in 16 bit beside those in float32, on the same labelled examples; figures x100 but the difference."""

    dtype: str
    """Such as `bfloat16`."""
    examples: int
    agreement: float
    """Examples with the same label, in per cent."""
    largest_difference: float
    """Between two probabilities, 0 to 1."""
    micro_f1: float
    """In 16 bit."""
    micro_f1_exact: float
    """In float32."""

    @property
    def passed(self) -> bool:
        """Whether 16 bit is the checkpoint's default."""
        kept = self.agreement >= LEAST_AGREEMENT and self.micro_f1 >= self.micro_f1_exact - MOST_LOST
        return kept and self.examples >= LEAST_EXAMPLES

    @property
    def words(self) -> str:
        """The figures for people."""
        verdict = "scored in 16 bit where the device has it" if self.passed else "always scored in float32"
        return (
            f"On {self.examples:,} labelled examples (the gate asks for {LEAST_EXAMPLES}) {self.dtype} gives "
            f"{self.agreement:.2f} % of the labels that float32 gives (at least {LEAST_AGREEMENT:g}), micro-F1 "
            f"{self.micro_f1:.2f} against {self.micro_f1_exact:.2f} (at most {MOST_LOST:g} less), and probabilities "
            f"that differ by {self.largest_difference:.4f} at most: {verdict}. `--exact` always computes in float32."
        )


def read_parity(folder: Path) -> Parity | None:
    """What was measured of a checkpoint; None where nothing was.

    Raises:
        BadCheckpoint: the file is damaged.
    """
    if not (folder / PARITY).is_file():
        return None
    content: Any = read_json(folder / PARITY)
    kinds = {each.name: (str,) if each.type is str else (int, float) for each in fields(Parity)}
    good = isinstance(content, dict) and content.keys() == kinds.keys()
    if not good or not all(isinstance(content[name], kind) for name, kind in kinds.items()):
        raise BadCheckpoint(f"{folder / PARITY}: not what relex writes; restore the folder")
    return Parity(**content)


def write_parity(folder: Path, parity: Parity) -> None:
    """Keep what was measured in the checkpoint, for programs and in the model card, before it is registered."""
    if (folder / MODEL_CARD).is_file():
        with (folder / MODEL_CARD).open("a", encoding="utf-8") as card:
            card.write(f"\n## Scoring in 16 bit\n\n{parity.words}\n")
    whole = folder / f".{PARITY}"
    whole.write_text(json.dumps(asdict(parity), indent=2) + "\n", "utf-8")
    whole.rename(folder / PARITY)
