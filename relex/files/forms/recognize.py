"""Which form a file has: what its content shows, and what the user says instead."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from relex.errors import InvalidCsv
from relex.files.forms.compression import compression_of, open_bytes
from relex.files.forms.encodings import codec_named, recognize_codec, require_codec
from relex.files.forms.form import TEXT_FORMATS, Form
from relex.files.forms.kinds import FIRST_BYTES, format_of, refuse_other_kinds
from relex.files.forms.separated import find_delimiter
from relex.files.forms.text import begins_with_mark
from relex.files.forms.workbook import choose_sheet
from relex.files.options import ReadOptions
from relex.hints import tables as hints


def recognize(path: Path, name: str, options: ReadOptions, count_known: Callable[[list[str]], int]) -> Form:
    """Return the form of a file.

    Args:
        path: where the file is.
        name: what messages call it.
        options: what the user says about it.
        count_known: counts the names of a header that mean something; it decides on the separator.

    Raises:
        InvalidCsv: the file cannot be opened, is of a kind that relex does not read, or is not what the options say.
    """
    codec = None if options.encoding is None else codec_named(options.encoding)
    with open_bytes(path, name, "") as file:
        packed = file.read(FIRST_BYTES)
    compression = compression_of(packed)
    with open_bytes(path, name, compression) as file:
        start = file.read(FIRST_BYTES)
    if not start:
        raise InvalidCsv(f"{name}: the file is empty")
    format_ = options.format or format_of(start)
    if format_ not in TEXT_FORMATS:
        return _binary(path, name, options, Form(format_, compression=compression), start)
    if format_of(start) not in TEXT_FORMATS:
        actual = format_of(start)
        raise InvalidCsv(f"{name}: this is {Form(actual)}, not {format_.upper()}\n{hints.format_(actual)}")
    refuse_other_kinds(name, start)
    if codec is None:
        codec = recognize_codec(path, name, compression, start)
    else:
        require_codec(path, name, compression, start, codec)
    form = Form(format_, codec, begins_with_mark(path, name, compression, codec), compression=compression)
    if format_ != "csv":
        return form
    return replace(form, delimiter=options.delimiter or find_delimiter(path, name, form, count_known))


def _binary(path: Path, name: str, options: ReadOptions, form: Form, start: bytes) -> Form:
    """Return the form of a file that is not text.

    Raises:
        InvalidCsv: it is compressed, or not what the options say.
    """
    actual = format_of(start)
    if actual != form.format:
        raise InvalidCsv(f"{name}: this is not {form}\n{hints.format_(actual)}")
    if form.compression:
        hint = hints.unpack(form.compression, path)
        raise InvalidCsv(f"{name}: {replace(form, compression='')} inside {form.compression}\n{hint}")
    if form.format == "parquet":
        return form
    sheet, notes = choose_sheet(path, name, options.sheet)
    return replace(form, sheet=sheet, notes=notes)
