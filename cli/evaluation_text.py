"""Evaluations, comparisons and ensembles as texts and tables; nothing here reads or prints."""

from collections.abc import Sequence

from cli.tables import Column, Part, Table, number
from relex.domain.mix import describe_psi
from relex.domain.versions import PRECISIONS
from relex.errors import counted
from relex.evaluation.reports import Difference, EvaluationReport, Figure, Headline, SliceScore
from relex.evaluation.shift import Reweighted
from relex.flows.compare import Comparison
from relex.flows.ensemble import EnsembleEvaluation, Registered
from relex.flows.evaluate import Evaluation, precision_of
from relex.flows.training_overlap import SeenRows

MAX_CONFUSIONS = 15
"""Number of confused pairs of labels that are shown."""
NONE = "-"
INTERVAL = "95% CI"

Row = tuple[str, ...]


def evaluation_parts(evaluation: Evaluation) -> list[Part]:
    """Return the headline figures first, then every table."""
    scored, report = evaluation.scored, evaluation.evaluation_report
    rows, precision = counted(report.rows, "row"), PRECISIONS[precision_of(scored)]
    parts: list[Part] = [
        f"{scored.version} on {scored.job.file_name}: {rows}, job {scored.job.id}, {precision}"
        + _seen(evaluation.seen),
        _figures(report, evaluation.reweighted),
        *_warning(report.headline),
        _labels(report),
        _slices("type pair", report.by_type_pair),
        _slices("source", report.by_source),
        _slices("characters of the sentence", report.by_length),
        _confusions(report),
    ]
    return parts


def comparison_parts(comparison: Comparison) -> list[Part]:
    """Return both models' figures, whether the difference may be chance, and the settings that differ."""
    a, b = comparison.a, comparison.b
    rows = counted(len(a.examples), "row")
    return [
        f"A {a.version}   B {b.version}   on {a.job.file_name}: {rows}" + _seen(comparison.seen),
        _pair(comparison),
        *_warning(comparison.paired.a, comparison.paired.b),
        _correct_rows(comparison),
        _changes(comparison),
    ]


def ensemble_parts(ensemble: EnsembleEvaluation) -> list[Part]:
    """Return every member alone, every vote, and the weights of the weighted vote."""
    report, job = ensemble.ensemble_report, ensemble.members[0].job
    alone = [(name, *_headline(headline)) for name, headline in zip(report.members, report.headlines, strict=True)]
    votes = [(f"{each.vote} vote", *_headline(each.headline)) for each in report.votes]
    weights = next(each.weights for each in report.votes if each.weights) or ()
    fitted = ", ".join(f"{weight:.3f} {name}" for weight, name in zip(weights, report.members, strict=True))
    columns = (
        Column(job.file_name, min_width=20),
        number("micro-F1"),
        Column(INTERVAL),
        number("AUPRC"),
        Column(INTERVAL, rank=2),
        number("average precision", rank=1),
    )
    parts: list[Part] = [Table(columns, [*alone, *votes])]
    if ensemble.seen:
        parts.append("\n".join(map(str, ensemble.seen)))
    each_half = "each half of the rows is evaluated with weights fitted on the other half"
    return [*parts, f"weights, fitted on this file: {fitted} ({each_half})"]


def registration(registered: Registered) -> str:
    """Say which version the ensemble became, whether it is current, and why."""
    version = str(registered.version)
    return f"registered as {version}; {registered.decision.sentence(version)}"


def _seen(seen: Sequence[SeenRows]) -> str:
    """Return a line for each version that was trained on the rows, or for which that is unknown."""
    return "".join(f"\n{each}" for each in seen)


def _headline(headline: Headline) -> Row:
    return (*_figure(headline.micro_f1), *_figure(headline.auprc), f"{headline.average_precision:.2f}")


def _figures(report: EvaluationReport, reweighted: Reweighted | None) -> Table:
    headline = report.headline
    rows: list[Row] = [
        ("micro-F1", *_figure(headline.micro_f1)),
        ("AUPRC", *_figure(headline.auprc)),
        ("average precision", f"{headline.average_precision:.2f}", ""),
    ]
    if reweighted:
        rows.append(("micro-F1, reweighted", f"{reweighted.micro_f1:.2f}", _trust(reweighted)))
    return Table((Column(""), number(""), Column(INTERVAL, min_width=20, folds=True)), rows)


def _figure(figure: Figure) -> Row:
    return (f"{figure.value:.2f}", _interval(figure.interval))


def _warning(*headlines: Headline) -> list[Part]:
    """Return a note for files with too few rows of some labels: the interval does not contain the score."""
    areas = [headline.auprc for headline in headlines]
    if all(area.interval[0] <= area.value <= area.interval[1] for area in areas):
        return []
    return ["note: some labels have so few rows that AUPRC is outside its CI; rely on micro-F1"]


def _trust(reweighted: Reweighted) -> str:
    return (
        f"to the other file's mix: PSI {reweighted.psi:.2f} ({describe_psi(reweighted.psi)}); effective sample size "
        f"{reweighted.effective_rows:,.0f}; {100 * reweighted.unreached:.1f}% of that file has no matching rows, "
        f"{100 * reweighted.underweighed:.1f}% is underweighted (clipped)"
    )


def _labels(report: EvaluationReport) -> Table:
    rows = [
        (score.label, f"{score.support:,}", f"{score.precision:.2f}", f"{score.recall:.2f}", f"{score.f1:.2f}")
        for score in report.per_label
    ]
    columns = (Column("label"), number("rows", rank=1), number("precision"), number("recall"), number("F1"))
    return Table(columns, rows)


def _slices(title: str, slices: Sequence[SliceScore]) -> Table:
    rows = [
        (each.name, f"{each.rows:,}", f"{each.relations:,}", NONE if each.micro_f1 is None else f"{each.micro_f1:.2f}")
        for each in slices
    ]
    return Table((Column(f"by {title}", min_width=26), number("rows"), number("relations"), number("micro-F1")), rows)


def _confusions(report: EvaluationReport) -> Part:
    rows = [(each.gold, f"{each.rows:,}", each.predicted) for each in report.confusions[:MAX_CONFUSIONS]]
    columns = (Column("most confused: gold label", min_width=24), number("rows"), Column("predicted", min_width=24))
    return Table(columns, rows) if rows else "no misclassified rows"


def _pair(comparison: Comparison) -> Table:
    paired = comparison.paired
    means = paired.a.average_precision, paired.b.average_precision
    rows: list[Row] = [
        ("micro-F1", *_figure(paired.a.micro_f1), *_figure(paired.b.micro_f1), *_difference(paired.micro_f1)),
        ("AUPRC", *_figure(paired.a.auprc), *_figure(paired.b.auprc), *_difference(paired.auprc)),
        ("average precision", f"{means[0]:.2f}", "", f"{means[1]:.2f}", "", f"{means[1] - means[0]:+.2f}", "", ""),
    ]
    columns = (
        Column("", min_width=9, folds=True),
        number("A"),
        Column(INTERVAL, rank=1),
        number("B"),
        Column(INTERVAL, rank=1),
        number("B - A"),
        Column(INTERVAL),
        number("p"),
    )
    return Table(columns, rows)


def _difference(difference: Difference) -> Row:
    return (f"{difference.value:+.2f}", _interval(difference.interval, "+"), f"{difference.p_value:.2g}")


def _correct_rows(comparison: Comparison) -> str:
    paired = comparison.paired
    correct = (
        f"correct rows: both {paired.both_right:,}, only A {paired.only_a_right:,}, only B {paired.only_b_right:,}, "
        f"neither {paired.none_right:,}   McNemar p {paired.mcnemar_p:.2g}"
    )
    return f"{correct}\nrows labeled differently: {len(comparison.flips):,}"


def _changes(comparison: Comparison) -> Part:
    if comparison.changes_unknown:
        return f"settings not compared: {comparison.changes_unknown}"
    rows = [(change.key, str(change.a), str(change.b)) for change in comparison.changes]
    columns = (
        Column("settings that differ", min_width=20),
        Column("A", min_width=10, folds=True),
        Column("B", min_width=10, folds=True),
    )
    return Table(columns, rows) if rows else "no settings differ"


def _interval(bounds: tuple[float, float], sign: str = "") -> str:
    return f"{bounds[0]:{sign}.2f} to {bounds[1]:{sign}.2f}"
