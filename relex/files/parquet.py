"""Files of results in Parquet, a row group at a time; the only module that knows pyarrow."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

from relex.domain.results import Result
from relex.errors import RelexError
from relex.files.layouts import Column, Kind, ResultTable
from relex.hints import tables as hints

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as exc:
    raise RelexError(f"Parquet needs the library pyarrow, which is not installed\n{hints.install_pyarrow()}") from exc

GROUP_ROWS = 8_192
"""Rows in a row group: a megabyte of probabilities, which is what the writer holds at a time."""

TYPES = {
    Kind.TEXT: pa.string(),
    Kind.NUMBER: pa.float32(),
    Kind.PROBABILITIES: pa.list_(pa.float32()),
    Kind.FLAG: pa.bool_(),
}


def write_parquet(file: BinaryIO, table: ResultTable) -> None:
    """Write results as Parquet: numbers as float32, the origin as metadata under `relex.` names."""
    columns = table.columns
    metadata = {f"relex.{name}": text for name, text in table.origin.items()}
    schema = pa.schema([pa.field(column.name, TYPES[column.kind]) for column in columns], metadata=metadata)
    results = iter(table.results)
    with pq.ParquetWriter(file, schema) as writer:
        for group in _groups(results):
            arrays = [_array(column, group) for column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _groups(results: Iterator[Result]) -> Iterator[list[Result]]:
    while group := list(islice(results, GROUP_ROWS)):
        yield group


def _array(column: Column, group: Sequence[Result]) -> pa.Array:
    return pa.array([column.value(result) for result in group], TYPES[column.kind])
