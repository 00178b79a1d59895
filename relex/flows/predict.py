"""Predicting without a database: one sentence with two words, or examples, by a checkpoint on this machine."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from relex import lazy
from relex.db.connection import Database
from relex.domain.calibration import Curve
from relex.domain.examples import Entity, Example, Prediction, RowResult
from relex.errors import InvalidInput, ModelNotFound, did_you_mean, quoted
from relex.files.columns import BadCell
from relex.files.entities import check_apart
from relex.files.lookalikes import composed, difference
from relex.files.problems import marked
from relex.files.types import usual_type
from relex.flows.score import Scorer
from relex.hints import jobs as hints
from relex.labels import ENTITY_TYPES
from relex.model.calibration import read_calibration
from relex.model.folder import CONFIG, ENSEMBLE, read_labels
from relex.registry import model_versions
from relex.settings import Settings

STARTER = "starter"
"""The model that comes with relex."""
ENTITY = re.compile(r"(?P<word>.+):(?P<type>[^:@]+)(?:@(?P<number>[1-9][0-9]{0,5}))?", re.DOTALL)
MAX_PLACES = 5
"""Maximum number of places of a word that a message shows."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint that is ready to score."""

    name: str
    labels: tuple[str, ...]
    """Labels in the order of every prediction's probabilities."""
    scorer: Scorer
    curve: Curve | None = None
    """Calibrates the confidence, where the checkpoint is calibrated."""

    def predict(self, examples: Sequence[Example]) -> list[RowResult]:
        """Return the result of each example, in their order, which must be that of their row numbers."""
        return sorted(chain.from_iterable(self.scorer.score(examples)), key=lambda result: result.row_no)


def load_model(settings: Settings, model: str = STARTER, *, exact: bool = False) -> LoadedModel:
    """Load a checkpoint: a model that comes with relex by its name, or a folder. No database is asked.

    Raises:
        ModelNotFound: it is neither.
        BadCheckpoint: it cannot be read.
        InvalidConfig: this machine has no such device.
    """
    shipped = {folder.name: folder for folder in model_versions.shipped()}
    folder = shipped.get(model, Path(model))
    if not ((folder / CONFIG).is_file() or (folder / ENSEMBLE).is_file()):
        hint = did_you_mean(model, shipped)
        raise ModelNotFound(f"{quoted(model)} is neither a checkpoint folder nor a model that comes with relex{hint}")
    return _load(settings, model, folder, exact=exact)


def load_version(
    settings: Settings, open_database: Callable[[], AbstractContextManager[Database]], model: str
) -> LoadedModel:
    """Load a registered model version; the database is open only while its folder is looked up.

    Raises:
        ModelNotFound: no version has this name.
        BadCheckpoint: it is not on this machine, or cannot be read.
    """
    with open_database() as database, database.transaction() as tx:
        version = model_versions.choose(tx, model)
    return _load(settings, str(version), model_versions.checkpoint_folder(settings, version))


def mark_sentence(sentence: str, subject: str, object_: str) -> Example:
    """Return the example of a sentence whose entities are written `WORD:TYPE`, or `WORD:TYPE@2` for the second place.

    Raises:
        InvalidInput: a word is not in the sentence, or at several places, a type is unknown, or the words overlap.
    """
    sentence = composed(sentence)
    example = Example(0, "0", sentence, _locate(sentence, "subject", subject), _locate(sentence, "object", object_))
    try:
        check_apart(example.subject, example.object)
    except BadCell as error:
        raise InvalidInput(str(error)) from error
    return example


def only_prediction(results: Sequence[RowResult]) -> Prediction:
    """Return the prediction of a single example.

    Raises:
        InvalidInput: it could not be scored.
    """
    (result,) = results
    if isinstance(result, Prediction):
        return result
    raise InvalidInput(result.message)


def _load(settings: Settings, name: str, folder: Path, *, exact: bool = False) -> LoadedModel:
    open_scorer = lazy.load_scorer_factory(settings.scorer)
    calibration = read_calibration(folder)
    scorer = open_scorer(folder, settings.device, exact)
    return LoadedModel(name, read_labels(folder), scorer, calibration.confidence if calibration else None)


def _locate(sentence: str, role: str, text: str) -> Entity:
    match = ENTITY.fullmatch(composed(text))
    if match is None:
        raise InvalidInput(f"--{role} {quoted(text)}: write WORD:TYPE, {hints.entity(role)}")
    word, type_ = match["word"], usual_type(match["type"])
    if type_ is None:
        suggestion = did_you_mean(match["type"].upper(), ENTITY_TYPES)
        raise InvalidInput(f"--{role}: unknown type {quoted(match['type'])}{suggestion}; {hints.list_types()}")
    places = [match.start() for match in re.finditer(f"(?={re.escape(word)})", sentence)]
    if not places:
        detail = difference(word, sentence, 0) or "check its spelling and its spaces"
        raise InvalidInput(f"--{role}: {quoted(word)} is not in the sentence: {detail}")
    number = int(match["number"] or 0)
    if number > len(places):
        raise InvalidInput(f"--{role}: {quoted(word)} is in the sentence {len(places)} times, not {number}")
    if not number and len(places) > 1:
        raise InvalidInput(_several(sentence, role, word, type_, places))
    start = places[max(number, 1) - 1]
    return Entity(word, start, start + len(word), type_)


def _several(sentence: str, role: str, word: str, type_: str, places: Sequence[int]) -> str:
    """Describe the places of a word, and how to name one."""
    lines = [f"--{role}: {quoted(word)} is in the sentence {len(places)} times"]
    for number, start in enumerate(places[:MAX_PLACES], 1):
        excerpt, underline = marked(sentence, start, start + len(word))
        lines += [f"    | {excerpt}", f"    | {underline}  {word}:{type_}@{number}"]
    return "\n".join([*lines, hints.occurrence(role, f"{word}:{type_}@1")])
