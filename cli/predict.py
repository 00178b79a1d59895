"""`relex predict`: the likeliest relations of one sentence, without a job and, by default, without a database."""

import json
from typing import Any

import click
from rich.text import Text

from cli.completion import complete_model
from cli.context import stdout_console
from cli.params import json_option
from relex.domain.examples import Entity, Example, Prediction
from relex.domain.results import confidence
from relex.errors import printable
from relex.flows.database import open_database
from relex.flows.predict import STARTER, LoadedModel, load_model, load_version, mark_sentence, only_prediction
from relex.settings import Settings

SHOWN = 5
"""Number of relations that are shown; `--json` prints all."""
BAR_CELLS = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"
NARROW = 60
"""Width, in cells, to which the bars shrink."""


@click.command("predict")
@click.argument("sentence")
@click.option("--subject", metavar="WORD:TYPE[@N]", required=True, help="The subject, as it stands in the sentence.")
@click.option("--object", "object_", metavar="WORD:TYPE[@N]", required=True, help="The object.")
@click.option(
    "--model",
    metavar="NAME[@N]",
    shell_complete=complete_model,
    help="Registered model version, looked up in the database.  [default: the one that comes with relex]",
)
@json_option
def predict_command(sentence: str, subject: str, object_: str, model: str | None, *, as_json: bool) -> None:
    """Show the likeliest relations between two words of SENTENCE.

    TYPE is PER, ORG, LOC, DAT, POH or NOH, or a usual name of one, such as PERSON or 기관. Where the word stands in
    the sentence several times, @2 takes the second place. Without --model no database is needed: the model that comes
    with relex answers, also where another version is current. With --json it prints all 30 probabilities.

    Example: relex predict "비틀즈는 런던에서 활동했다." --subject 비틀즈:ORG --object 런던:LOC
    """
    example = mark_sentence(sentence, subject, object_)
    settings = Settings.from_env()
    loaded = load_version(settings, lambda: open_database(settings), model) if model else load_model(settings, STARTER)
    prediction = only_prediction(loaded.predict([example]))
    if as_json:
        click.echo(json.dumps(_data(example, prediction, loaded), ensure_ascii=False))
    else:
        _print(example, prediction, loaded)


def _data(example: Example, prediction: Prediction, model: LoadedModel) -> dict[str, Any]:
    probabilities = [float(f"{each:.8g}") for each in prediction.probabilities]  # the digits of a 32-bit number
    return {
        "sentence": example.sentence,
        "subject_entity": _entity(example.subject),
        "object_entity": _entity(example.object),
        "model": model.name,
        "pred_label": prediction.label,
        "confidence": confidence(probabilities, model.curve),
        "truncated": prediction.truncated,
        "probs": dict(zip(model.labels, probabilities, strict=True)),
    }


def _entity(entity: Entity) -> dict[str, Any]:
    """Return an entity as a column of a table holds it: `end_idx` is inclusive."""
    return {"word": entity.text, "start_idx": entity.start, "end_idx": entity.end - 1, "type": entity.type}


def _print(example: Example, prediction: Prediction, model: LoadedModel) -> None:
    console = stdout_console()
    subject, object_ = example.subject, example.object
    whole_lines = not console.is_terminal
    console.print(marked_sentence(example), soft_wrap=whole_lines)
    words = f"subject {subject.text} ({subject.type})   object {object_.text} ({object_.type})   model {model.name}"
    console.print(Text(printable(words), style="dim"), soft_wrap=whole_lines)
    ranked = sorted(zip(prediction.probabilities, model.labels, strict=True), reverse=True)[:SHOWN]
    label_width = max(len(label) for _, label in ranked)
    cells = max(min(BAR_CELLS, (console.width if console.is_terminal else NARROW) - label_width - 9), 1)
    for probability, label in ranked:
        bar = f"{_bar(probability, cells)} " if _bar(probability, cells) else ""
        style = "bold" if label == prediction.label else ""
        console.print(
            Text.assemble("  ", (label.ljust(label_width), style), "  ", (bar, "green"), f"{probability:.2f}")
        )
    if prediction.truncated:
        console.print("note: the sentence is longer than the model reads; words far from both entities were left out")


def marked_sentence(example: Example) -> Text:
    """Return the sentence with the subject in [square brackets] and the object in (parentheses)."""
    marks = {"subject": ("[", "]", "bold cyan"), "object": ("(", ")", "bold magenta")}
    entities = sorted((getattr(example, role).start, getattr(example, role).end, role) for role in marks)
    text, end = Text(), 0
    for start, next_end, role in entities:
        before, after, style = marks[role]
        text.append(printable(example.sentence[end:start]))
        text.append(f"{before}{printable(example.sentence[start:next_end])}{after}", style)
        end = next_end
    return text.append(printable(example.sentence[end:]))


def _bar(share: float, cells: int) -> str:
    """Return a bar in eighths of a cell."""
    full, eighths = divmod(round(share * cells * 8), 8)
    return "█" * full + EIGHTHS[eighths].strip()
