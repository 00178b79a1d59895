"""Evaluations, comparisons and votes as text. Nothing here reads or prints."""

from collections.abc import Sequence

from relex.domain.mix import describe_psi
from relex.domain.versions import PRECISIONS
from relex.errors import counted
from relex.evaluation.reports import Difference, EvaluationReport, Figure, Headline, SliceScore
from relex.evaluation.shift import Reweighted
from relex.flows.compare import Comparison
from relex.flows.ensemble import EnsembleEvaluation, Registered
from relex.flows.evaluate import Evaluation, precision_of
from relex.flows.seen_rows import SeenRows

CONFUSIONS_SHOWN = 15
NOTHING = "-"

Row = tuple[str, ...]


def evaluation_text(evaluation: Evaluation) -> str:
    """The figures first, then every table; several lines, no line end."""
    scored, judgement = evaluation.scored, evaluation.judgement
    precision = PRECISIONS[precision_of(scored)]
    parts = [
        f"{scored.version} on {scored.job.file_name}: {counted(judgement.rows, 'row')}, job {scored.job.id}, "
        + precision
        + _seen(evaluation.seen),
        _figures(judgement, evaluation.reweighted) + _warning(judgement.headline),
        _labels(judgement),
        _slices("by type pair", judgement.by_type_pair),
        _slices("by source", judgement.by_source),
        _slices("by characters of the sentence", judgement.by_length),
        _confusions(judgement),
    ]
    return "\n\n".join(parts)


def comparison_text(comparison: Comparison) -> str:
    """Both models' figures, whether the difference may be luck, and what was trained differently."""
    a, b = comparison.a, comparison.b
    parts = [
        f"A {a.version}   B {b.version}   on {a.job.file_name}: {counted(len(a.examples), 'row')}"
        + _seen(comparison.seen),
        _pair(comparison) + _warning(comparison.paired.a, comparison.paired.b),
        _rows_right(comparison),
        _changes(comparison),
    ]
    return "\n\n".join(parts)


def ballot_text(ensemble: EnsembleEvaluation, registered: Registered | None) -> str:
    """Every member alone, every vote, and what became of the chosen one."""
    ballot, job = ensemble.ballot, ensemble.members[0].job
    alone = [(name, *_headline(headline)) for name, headline in zip(ballot.members, ballot.headlines, strict=True)]
    together = [(f"{each.vote} vote", *_headline(each.headline)) for each in ballot.votes]
    weights = next(each.weights for each in ballot.votes if each.weights) or ()
    fitted = ", ".join(f"{weight:.3f} {name}" for weight, name in zip(weights, ballot.members, strict=True))
    head = (job.file_name, "micro-F1", "95 % interval", "AUPRC", "95 % interval", "average precision")
    parts = [
        _table(head, [*alone, *together]) + _seen(ensemble.seen),
        f"weights, fitted on this file: {fitted} (judged on each half of the rows by weights fitted on the other)",
    ]
    if registered:
        current = "current" if registered.promoted else "not made current"
        parts.append(f"{registered.version} is registered and {current}: {registered.reason}")
    return "\n\n".join(parts)


def _seen(found: Sequence[SeenRows]) -> str:
    """A line for each version that was trained on the rows, or of which that is not known."""
    return "".join(f"\n{each}" for each in found)


def _headline(headline: Headline) -> Row:
    return (*_figure(headline.micro_f1), *_figure(headline.auprc), f"{headline.average_precision:.2f}")


def _figures(judgement: EvaluationReport, reweighted: Reweighted | None) -> str:
    headline = judgement.headline
    rows = [
        ("micro-F1", *_figure(headline.micro_f1)),
        ("AUPRC", *_figure(headline.auprc)),
        ("average precision", f"{headline.average_precision:.2f}", ""),
    ]
    if reweighted:
        rows.append(("micro-F1, reweighted", f"{reweighted.micro_f1:.2f}", _trust(reweighted)))
    return _table(("", "", "95 % interval"), rows)


def _figure(figure: Figure) -> Row:
    return (f"{figure.value:.2f}", _interval(figure.interval))


def _warning(*headlines: Headline) -> str:
    """A line for files with too few rows of some labels: their resamples do not lie round the score."""
    areas = [headline.auprc for headline in headlines]
    if all(area.interval[0] <= area.value <= area.interval[1] for area in areas):
        return ""
    return "\nnote: some labels have so few rows that AUPRC's resamples lie beside it; go by micro-F1"


def _trust(reweighted: Reweighted) -> str:
    return (
        f"to the other file's mix: PSI {reweighted.psi:.2f} ({describe_psi(reweighted.psi)}), worth "
        f"{reweighted.effective_rows:,.0f} rows, {100 * reweighted.unreached:.1f} % of that file not reached, "
        f"{100 * reweighted.underweighed:.1f} % weighed too low"
    )


def _labels(judgement: EvaluationReport) -> str:
    rows = [
        (score.label, f"{score.support:,}", f"{score.precision:.2f}", f"{score.recall:.2f}", f"{score.f1:.2f}")
        for score in judgement.per_label
    ]
    return _table(("label", "rows", "precision", "recall", "F1"), rows)


def _slices(title: str, slices: Sequence[SliceScore]) -> str:
    rows = [
        (
            each.name,
            f"{each.rows:,}",
            f"{each.relations:,}",
            NOTHING if each.micro_f1 is None else f"{each.micro_f1:.2f}",
        )
        for each in slices
    ]
    return _table((title, "rows", "relations", "micro-F1"), rows)


def _confusions(judgement: EvaluationReport) -> str:
    shown = judgement.confusions[:CONFUSIONS_SHOWN]
    rows = [(each.gold, f"{each.rows:,}", each.predicted) for each in shown]
    return _table(("most confused: gold label", "rows", "predicted"), rows) if rows else "no row is wrong"


def _pair(comparison: Comparison) -> str:
    paired = comparison.paired
    rows = [
        ("micro-F1", *_figure(paired.a.micro_f1), *_figure(paired.b.micro_f1), *_difference(paired.micro_f1)),
        ("AUPRC", *_figure(paired.a.auprc), *_figure(paired.b.auprc), *_difference(paired.auprc)),
    ]
    means = paired.a.average_precision, paired.b.average_precision
    rows.append(
        ("average precision", f"{means[0]:.2f}", "", f"{means[1]:.2f}", "", f"{means[1] - means[0]:+.2f}", "", "")
    )
    head = ("", "A", "95 % interval", "B", "95 % interval", "B - A", "95 % interval", "p")
    return _table(head, rows)


def _difference(difference: Difference) -> Row:
    return (f"{difference.value:+.2f}", _interval(difference.interval, "+"), f"{difference.p_value:.2g}")


def _rows_right(comparison: Comparison) -> str:
    paired = comparison.paired
    right = (
        f"rows right: both {paired.both_right:,}, only A {paired.only_a_right:,}, only B {paired.only_b_right:,}, "
        f"none {paired.none_right:,}   McNemar p {paired.mcnemar_p:.2g}"
    )
    return f"{right}\nrows labelled differently: {len(comparison.flips):,}"


def _changes(comparison: Comparison) -> str:
    if comparison.changes_unknown:
        return f"settings not compared: {comparison.changes_unknown}"
    rows = [(change.key, str(change.a), str(change.b)) for change in comparison.changes]
    return _table(("settings that differ", "A", "B"), rows) if rows else "no setting differs"


def _interval(bounds: tuple[float, float], sign: str = "") -> str:
    return f"{bounds[0]:{sign}.2f} to {bounds[1]:{sign}.2f}"


def _table(head: Row, rows: Sequence[Row]) -> str:
    """Columns of equal width: what is a number stands to the right, words to the left."""
    aligned = [_aligned(column) for column in zip(head, *rows, strict=True)]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    numbers = all(cell.strip("+-0123456789.,") == "" for cell in column[1:])
    return [cell.rjust(width) if numbers else cell.ljust(width) for cell in column]
