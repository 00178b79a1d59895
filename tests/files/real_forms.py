"""Tables in every form: encodings, separators, packed files, JSON, Parquet, workbooks."""

import bz2
import gzip
import json
import lzma

import zstandard

from tests.files.real_life import (
    BATCH,
    FLAT,
    NESTED,
    PLAIN,
    SEMICOLONS,
    WHOLE,
    RealFile,
    flat_rows,
    json_lines,
    objects,
    open_document,
    parquet_file,
    separated,
    whole_rows,
    workbook,
)

AMBIGUOUS = separated(
    WHOLE,
    [
        [
            "a",
            "철호 친척 혼천",
            "{'word': '철호', 'start_idx': 0, 'end_idx': 1, 'type': 'PER'}",
            "{'word': '혼천', 'start_idx': 6, 'end_idx': 7, 'type': 'PER'}",
        ]
    ],
)
"""In CP949 each of these syllables is two bytes that are also one character in UTF-8."""
FORMS = (
    RealFile("utf-8", PLAIN.encode()),
    RealFile("utf-8 with BOM", PLAIN.encode("utf-8-sig"), "utf-8 with BOM, ','-separated"),
    RealFile("cp949", PLAIN.encode("cp949"), "cp949, ','-separated"),
    RealFile("cp949 with semicolons", SEMICOLONS.encode("cp949"), "cp949, ';'-separated"),
    RealFile(
        "cp949 behind many blank rows",
        (PLAIN.split("\n", 1)[0] + "\n" + ",,,\n" * 20_000 + PLAIN.split("\n", 1)[1]).encode("cp949"),
        "cp949, ','-separated",
        "20,000 blank rows skipped",
    ),
    RealFile(
        "uhc syllables",
        PLAIN.replace("소설가", "똠방각하")
        .replace("'start_idx': 4, 'end_idx': 6", "'start_idx': 5, 'end_idx': 7")
        .replace("'start_idx': 13, 'end_idx': 15", "'start_idx': 14, 'end_idx': 16")
        .encode("cp949"),
        "cp949, ','-separated",
    ),
    RealFile(
        "utf-16 with tabs, as Excel's Unicode text",
        separated(WHOLE, whole_rows(), "\t").encode("utf-16"),
        "utf-16, tab-separated",
    ),
    RealFile("utf-16 big-endian", b"\xfe\xff" + PLAIN.encode("utf-16-be"), "utf-16, ','-separated"),
    RealFile("utf-32", PLAIN.encode("utf-32"), "utf-32, ','-separated"),
    RealFile("utf-16 without its mark", PLAIN.encode("utf-16-le"), refused="--encoding utf-16-le reads it"),
    RealFile(
        "utf-16 without its mark, named",
        PLAIN.encode("utf-16-le"),
        "utf-16-le, ','-separated",
        options={"encoding": "utf-16-le"},
    ),
    RealFile("utf-8 or cp949", AMBIGUOUS.encode("cp949"), refused="--encoding utf-8 or --encoding cp949 reads it"),
    RealFile(
        "latin-1",
        separated(WHOLE, [["é", *row[1:]] for row in [["a", "café", "x", "y"]] * 3]).encode("latin-1"),
        refused="byte 0xe9 is not utf-8",
    ),
    RealFile("tabs", separated(WHOLE, whole_rows(), "\t").encode(), "utf-8, tab-separated", suffix=".tsv"),
    RealFile("bars", separated(WHOLE, whole_rows(), "|").encode(), "utf-8, '|'-separated"),
    RealFile("sep=;", ("sep=;\n" + SEMICOLONS).encode(), "utf-8, ';'-separated"),
    RealFile("carets", separated(WHOLE, whole_rows(), "^").encode(), refused="no column sentence"),
    RealFile(
        "carets, named",
        separated(WHOLE, whole_rows(), "^").encode(),
        "utf-8, '^'-separated",
        options={"delimiter": "^"},
    ),
    RealFile("CRLF", separated(WHOLE, whole_rows(), end="\r\n").encode()),
    RealFile("old Mac line ends", separated(WHOLE, whole_rows(), end="\r").encode()),
    RealFile("gzip", gzip.compress(SEMICOLONS.encode("cp949")), "gzip, cp949, ';'-separated", suffix=".csv.gz"),
    RealFile("zstd", zstandard.compress(PLAIN.encode()), "zstd, utf-8, ','-separated", suffix=".csv.zst"),
    RealFile("bzip2", bz2.compress(PLAIN.encode()), "bzip2, utf-8, ','-separated"),
    RealFile("xz", lzma.compress(PLAIN.encode()), "xz, utf-8, ','-separated"),
    RealFile(
        "two gzips joined",
        gzip.compress(PLAIN.encode()[:300]) + gzip.compress(PLAIN.encode()[300:]),
        "gzip, utf-8, ','-separated",
    ),
    RealFile("gzip cut off", gzip.compress(PLAIN.encode())[:-20], refused="gzip cannot unpack it"),
    RealFile("zstd cut off", zstandard.compress(PLAIN.encode())[:-5], refused="zstd cannot unpack it: it is cut off"),
    RealFile("JSON lines", json_lines(NESTED).encode(), "JSON Lines, utf-8", suffix=".jsonl"),
    RealFile("JSON lines in cp949", json_lines(NESTED).encode("cp949"), "JSON Lines, cp949"),
    RealFile("JSON lines packed", gzip.compress(json_lines(NESTED).encode()), "gzip, JSON Lines, utf-8"),
    RealFile("JSON lines in ASCII", "".join(json.dumps(each) + "\n" for each in NESTED).encode(), "JSON Lines, utf-8"),
    RealFile(
        "JSON lines of a batch",
        json_lines(objects(BATCH, whole_rows(spell=dict))).encode(),
        "JSON Lines, utf-8",
        "column custom_id is read as id",
    ),
    RealFile(
        "JSON lines with entities as text", json_lines(objects(WHOLE, whole_rows())).encode(), "JSON Lines, utf-8"
    ),
    RealFile(
        "JSON lines with one that is cut off",
        (json_lines(NESTED) + '{"id": "d", "sen').encode(),
        refused="line 4  is not a JSON object (Unterminated string",
    ),
    RealFile(
        "JSON lines with a key twice",
        json_lines(NESTED).replace('"id": "b"', '"id": "b", "id": "x"').encode(),
        refused="the key 'id' appears twice",
    ),
    RealFile("a JSON array", json.dumps(NESTED, ensure_ascii=False, indent=2).encode(), "JSON, utf-8", suffix=".json"),
    RealFile("a JSON array in cp949", json.dumps(NESTED, ensure_ascii=False).encode("cp949"), "JSON, cp949"),
    RealFile(
        "JSON objects one after another, as jq prints them",
        "\n".join(json.dumps(each, ensure_ascii=False, indent=1) for each in NESTED).encode(),
        "JSON, utf-8",
    ),
    RealFile("a JSON array cut off", json.dumps(NESTED, ensure_ascii=False)[:-30].encode(), refused="line 1: not JSON"),
    RealFile("one JSON object with rows inside", json.dumps({"data": NESTED}).encode(), refused="no column sentence"),
    RealFile("Parquet with text", parquet_file(objects(WHOLE, whole_rows())), "Parquet", suffix=".parquet"),
    RealFile("Parquet with structs", parquet_file(NESTED), "Parquet"),
    RealFile(
        "Parquet with numbers as ids",
        parquet_file([each | {"id": n} for n, each in enumerate(NESTED)]),
        "Parquet",
        ids=("0", "1", "2"),
    ),
    RealFile("a workbook", workbook(("하나", [WHOLE, *whole_rows()])), "a workbook, sheet '하나'", suffix=".xlsx"),
    RealFile(
        "a workbook that begins in row 4",
        workbook(("하나", [WHOLE, *whole_rows()]), first_row=3),
        "a workbook, sheet '하나'",
    ),
    RealFile(
        "a workbook with numbers",
        workbook(("하나", [FLAT, *[[n, *row[1:]] for n, row in enumerate(flat_rows())]])),
        "a workbook, sheet '하나'",
        ids=("0", "1", "2"),
    ),
    RealFile(
        "the second sheet",
        workbook(("설명", [["읽어 주세요"]]), ("자료", [WHOLE, *whole_rows()])),
        "a workbook, sheet '자료'",
        options={"sheet": "자료"},
    ),
    RealFile(
        "the first of two sheets",
        workbook(("자료", [WHOLE, *whole_rows()]), ("설명", [["읽어 주세요"]])),
        "a workbook, sheet '자료'",
        "sheet '자료' is read, the first of 2 sheets; --sheet names another",
    ),
    RealFile(
        "no such sheet",
        workbook(("자료", [WHOLE, *whole_rows()])),
        options={"sheet": "자로"},
        refused="no sheet '자로'; it has 자료\nhint: --sheet 자료 reads that one",
    ),
    RealFile(
        "an empty first sheet",
        workbook(("빈", []), ("자료", [WHOLE, *whole_rows()])),
        refused="sheet '빈' is empty\nhint: --sheet 자료 reads that one",
    ),
    RealFile("an open document", open_document([WHOLE, *whole_rows()]), "a workbook, sheet '하나'", suffix=".ods"),
    RealFile("a damaged workbook", workbook(("하나", [WHOLE]))[:-100], refused="this workbook cannot be read"),
    RealFile(
        "a web page called .xls", b"<html><table><tr><td>id</td></tr></table></html>", refused="this is a web page"
    ),
    RealFile("a PDF", b"%PDF-1.7\n", refused="this is PDF, not a table\nhint: this file holds no table"),
)
