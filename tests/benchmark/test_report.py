"""The ratios of `relex bench`, from figures made by hand; no torch."""

import json
from dataclasses import replace

import pytest

from relex.benchmark.report import EngineResult, Report, report_data

PLAIN = EngineResult(
    name="plain",
    about="the public way",
    precision="fp32",
    note="",
    rows=64,
    gflop_per_row=10.0,
    seconds=(16.0, 8.0, 9.0),
    cpu_seconds=(30.0, 15.0, 15.0),
    opening_seconds=1.0,
    peak_memory_bytes=2_000_000_000,
    agreement=1.0,
    largest_difference=1e-7,
)
FAST = replace(
    PLAIN,
    name="relex",
    precision="bf16",
    note="2 lanes",
    rows=256,
    seconds=(6.4, 4.0, 3.2),
    cpu_seconds=(12.0, 8.0, 7.5),
    peak_memory_bytes=None,
)
REPORT = Report(
    network="roberta-base with random weights",
    device="cpu",
    threads=2,
    rows=256,
    tokens_per_row=50.5,
    load=(0.1, 2.0),
    results=(PLAIN, FAST),
    left_out={"pipeline": "out of memory"},
    ceiling_tokens=512,
    ceiling_flops={"fp32": 200e9, "bf16": 1600e9},
    reading=20_000.0,
)


def by_name(report):
    return {each["name"]: each for each in json.loads(json.dumps(report_data(report)))["engines"]}


def test_speeds_are_of_the_first_pass_and_of_the_best_later_one():
    plain, fast = by_name(REPORT)["plain"], by_name(REPORT)["relex"]
    assert (plain["rows_per_s_first"], plain["rows_per_s_warm"]) == (4, 8)
    assert (fast["rows_per_s_first"], fast["rows_per_s_warm"]) == pytest.approx((40, 80))


def test_ratios_compare_rows_a_second_so_a_part_of_the_rows_does_not_matter():
    fast = by_name(REPORT)["relex"]
    assert (fast["ratio_first"], fast["ratio_warm"]) == pytest.approx((10, 10))
    assert by_name(REPORT)["plain"]["ratio_warm"] == 1


def test_the_ratio_by_cpu_seconds_takes_the_pass_with_the_fewest():
    assert by_name(REPORT)["relex"]["ratio_cpu"] == pytest.approx((256 / 7.5) / (64 / 15))
    on_gpu = by_name(replace(REPORT, device="cuda"))["relex"]
    assert (on_gpu["rows_per_cpu_s"], on_gpu["ratio_cpu"]) == (None, None)


def test_the_share_of_the_ceiling_is_of_the_engines_own_precision():
    assert by_name(REPORT)["plain"]["ceiling_share"] == pytest.approx(8 * 10 / 200)
    assert by_name(REPORT)["relex"]["ceiling_share"] == pytest.approx(80 * 10 / 1600)


def test_what_cannot_be_said_is_null():
    alone = replace(REPORT, results=(replace(FAST, seconds=(6.4,), agreement=None),), ceiling_flops={})
    fast = by_name(alone)["relex"]
    absent = ("rows_per_s_warm", "ratio_first", "ratio_warm", "ceiling_share", "agreement", "peak_memory_bytes")
    assert [fast[name] for name in absent] == [None] * len(absent)
    assert fast["rows_per_s_first"] == 40


def test_the_rest_of_the_data_says_under_which_circumstances():
    data = report_data(REPORT)
    assert data["ceiling"] == {"tokens": 512, "gflops": {"fp32": 200, "bf16": 1600}}
    assert data["left_out"] == [{"name": "pipeline", "why": "out of memory"}]
    assert data["load_average"] == [0.1, 2.0]
    assert data["reading_rows_per_s"] == 20_000
