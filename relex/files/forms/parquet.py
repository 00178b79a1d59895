"""Parquet files, read batch by batch; pyarrow is an extra and is imported here only, when such a file is opened."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from relex.errors import InvalidCsv
from relex.files.forms.cells import cell_text
from relex.files.forms.form import BlankRows, Form, Record, Table
from relex.hints import tables as hints

BATCH_ROWS = 1_000


@contextmanager
def open_parquet(path: Path, name: str, form: Form) -> Iterator[Table]:
    """Open a Parquet file; its rows are counted from 1.

    Raises:
        InvalidCsv: it cannot be read, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise InvalidCsv(f"{name}: reading Parquet needs pyarrow\n{hints.install_pyarrow()}") from exc
    with ExitStack() as stack:
        with _translated(name, pa.ArrowException):
            file = stack.enter_context(parquet.ParquetFile(path))
        yield Table(form, list(file.schema_arrow.names), 1, _records(file, name, pa.ArrowException), BlankRows())


def _records(file: Any, name: str, error: type[Exception]) -> Iterator[Record]:
    number = 0
    batches = file.iter_batches(batch_size=BATCH_ROWS)
    while True:
        with _translated(name, error):
            batch = next(batches, None)
            if batch is None:
                return
            columns = [[cell_text(value) for value in column.to_pylist()] for column in batch.columns]
        for fields in zip(*columns, strict=True):
            number += 1
            yield Record(number, list(fields))


@contextmanager
def _translated(name: str, error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except (error, OSError) as exc:
        raise InvalidCsv(f"{name}: this Parquet file cannot be read: {exc}\n{hints.EXPORT_AS_CSV}") from exc
