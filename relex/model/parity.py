"""The bf16 parity check of a checkpoint: its limits, and its result in the checkpoint folder.

Scoring in 16 bits is at least twice as fast and changes probabilities in the third digit. How often that changes a
label depends on the checkpoint; `relex.registry.parity_check` measures it once, before the checkpoint is registered.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from relex.errors import BadCheckpoint
from relex.model.folder import MODEL_CARD, PARITY, read_json

MIN_AGREEMENT = 99.0
"""Minimum percentage of the examples that keep their label."""
MAX_F1_LOSS = 0.3
"""Maximum loss of micro-F1 in points."""
MIN_EXAMPLES = 200
"""Minimum number of examples; fewer could not distinguish 99% from 97%."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The scores in 16 bits and in float32 on the same labeled examples; x100, except the difference."""

    dtype: str
    """Name of the 16-bit type, such as `bfloat16`."""
    examples: int
    agreement: float
    """Percentage of the examples with the same label."""
    largest_difference: float
    """Largest difference between two probabilities, 0 to 1."""
    micro_f1: float
    """Micro-F1 in 16 bits."""
    micro_f1_exact: float
    """Micro-F1 in float32."""

    @property
    def passed(self) -> bool:
        """Whether the checkpoint is scored in 16 bits by default."""
        same = self.agreement >= MIN_AGREEMENT and self.micro_f1 >= self.micro_f1_exact - MAX_F1_LOSS
        return same and self.examples >= MIN_EXAMPLES

    @property
    def words(self) -> str:
        """The result as a sentence for the model card."""
        conclusion = "scored in 16 bit where the device has it" if self.passed else "always scored in float32"
        return (
            f"On {self.examples:,} labeled examples (the parity check needs {MIN_EXAMPLES}) {self.dtype} gives "
            f"{self.agreement:.2f}% of the labels that float32 gives (at least {MIN_AGREEMENT:g}), micro-F1 "
            f"{self.micro_f1:.2f} against {self.micro_f1_exact:.2f} (at most {MAX_F1_LOSS:g} less), and probabilities "
            f"that differ by {self.largest_difference:.4f} at most: {conclusion}. `--exact` always computes in float32."
        )


def read_parity(folder: Path) -> Parity | None:
    """Read the parity check of a checkpoint; None if it was not checked.

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
    """Write the result into the checkpoint and its model card, before the checkpoint is registered."""
    if (folder / MODEL_CARD).is_file():
        with (folder / MODEL_CARD).open("a", encoding="utf-8") as card:
            card.write(f"\n## Scoring in 16 bit\n\n{parity.words}\n")
    staging = folder / f".{PARITY}"
    staging.write_text(json.dumps(asdict(parity), indent=2) + "\n", "utf-8")
    staging.rename(folder / PARITY)
