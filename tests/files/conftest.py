"""A small CSV to bend: each test changes the one cell that it is about."""

import csv
from pathlib import Path

import pytest

SENTENCE = "조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 노래다."
SUBJECT = "{'word': '비틀즈', 'start_idx': 11, 'end_idx': 13, 'type': 'ORG'}"
OBJECT = "{'word': '조지 해리슨', 'start_idx': 0, 'end_idx': 5, 'type': 'PER'}"


@pytest.fixture
def row():
    """row(label="x"): a good record as a dict by column, with these cells changed."""

    def make(**cells):
        good = {"id": "0", "sentence": SENTENCE, "subject_entity": SUBJECT, "object_entity": OBJECT}
        return good | {"label": "org:members", "source": "wikipedia"} | cells

    return make


@pytest.fixture
def save(tmp_path):
    """save(rows): a CSV of these records; their ids are counted from 0 where they are all "0"."""

    def write(rows, encoding="utf-8", lineterminator="\n"):
        path = Path(tmp_path) / "june.csv"
        if len(rows) > 1 and {row["id"] for row in rows} == {"0"}:
            rows = [row | {"id": str(number)} for number, row in enumerate(rows)]
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator=lineterminator)
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
