"""What a person reads about how far a job may be believed."""

from dataclasses import replace

import pytest

from cli.exit_codes import ExitCode
from cli.progress import exit_if_drifted
from cli.quality_text import drift_lines, expected_lines
from relex.domain.calibration import Estimate
from relex.domain.drift import Cell, Drift, Level
from relex.domain.quality import Expected, ValidationScores

EXPECTED = Expected(Estimate(64.89, 63.34, 66.44), Estimate(60.41, 58.45, 62.37), ValidationScores(74.48, 77.16))
DRIFT = Drift(0.64, 0.02, 0.16, 1.3, Level.LARGE, (Cell("type pair", "ORG-POH\x1b[2J", 5.25, 19.33),), 0.58, 0.781)


def test_an_estimate_far_below_validation_is_red_and_says_so():
    lines = list(expected_lines(EXPECTED))
    assert [line.style for line in lines] == ["red", "red"]
    assert lines[0].plain == (
        "expected: accuracy 64.9 (63.3 to 66.4), micro-F1 60.4 (58.5 to 62.4); validation 74.5 and 77.2"
    )
    assert lines[1].plain.startswith("warning: that is up to 17 points below validation")


@pytest.mark.parametrize(
    ("accuracy", "micro_f1", "warns"), [(69.6, 72.2, False), (69.4, 77.0, True), (74.0, 72.1, True)]
)
def test_five_points_below_on_either_score_are_a_warning(accuracy, micro_f1, warns):
    estimates = {"accuracy": Estimate(accuracy, 0, 100), "micro_f1": Estimate(micro_f1, 0, 100)}
    assert len(list(expected_lines(replace(EXPECTED, **estimates)))) == 1 + warns


def test_drift_names_what_differs_and_controls_no_terminal():
    lines = list(drift_lines(DRIFT))
    assert [line.plain for line in lines] == [
        "drift: large; PSI of type pairs 0.64, sources 0.16, lengths 0.02, predicted labels 0.58; two-sample AUC 0.78",
        "  type pairs that the version never saw: 1.3% of the rows",
        "  type pair ORG-POH·[2J: 19.3% of the rows, 5.2% in validation",
    ]
    assert {line.style for line in lines} == {"red"}


def test_a_job_without_drift_has_one_line():
    drift = replace(DRIFT, level=Level.NONE, psi_sources=None, psi_predicted=None, auc=None, unknown_types=0.0)
    assert [line.plain for line in drift_lines(drift)] == ["drift: none; PSI of type pairs 0.64, lengths 0.02"]


@pytest.mark.parametrize(
    ("level", "limit", "ends"),
    [("large", "large", True), ("large", "some", True), ("some", "large", False), ("none", "some", False)],
)
def test_a_pipeline_stops_at_the_level_that_it_names(level, limit, ends, capsys):
    drift = replace(DRIFT, level=Level(level))
    if not ends:
        exit_if_drifted(drift, Level(limit))
        return
    with pytest.raises(SystemExit) as exited:
        exit_if_drifted(drift, Level(limit))
    assert exited.value.code == ExitCode.ATTENTION
    assert capsys.readouterr().err == f"error: the rows have drifted: {level}, and --fail-on-drift is {limit}\n"


def test_nothing_is_known_or_asked():
    exit_if_drifted(None, Level.SOME)
    exit_if_drifted(DRIFT, None)
