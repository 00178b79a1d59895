"""Bad CSVs by name, and the line that `relex submit NAME.csv` must print for each. `tests/badinput/test_csvs.py`."""

import gzip
import os

from tests.corpus.bad import Bad
from tests.corpus.csv_text import (
    HEADER,
    NESTED,
    NO_COLUMNS,
    NOT_A_DICT,
    OBJECT,
    SENTENCE,
    SUBJECT,
    entity,
    row,
    shown,
    table,
)

WHOLE = (
    Bad("empty", b"", "error: empty.csv: the file is empty"),
    Bad("only_a_mark", b"\xef\xbb\xbf", "error: only_a_mark.csv: the file is empty"),
    Bad("only_a_header", HEADER + "\n", "error: only_a_header.csv: there are no rows under the header"),
    Bad(
        "utf16_unmarked",
        table().encode("utf-16-le"),
        "error: utf16_unmarked.csv: UTF-16 stream does not start with BOM",
        ("--encoding", "utf-16"),
    ),
    Bad(
        "marked_utf8_as_cp949",
        table().encode("utf-8-sig"),
        "error: marked_utf8_as_cp949.csv: begins with the mark of UTF-8, so it is not cp949",
        ("--encoding", "cp949"),
    ),
    Bad(
        "half_a_pair_in_utf8",
        table(row(sentence="조\ud800지")).encode("utf-8", "surrogatepass"),
        "error: half_a_pair_in_utf8.csv: line 2: byte 0xed is not utf-8",
    ),
    Bad(
        "no_such_encoding",
        table(),
        "error: unknown encoding 'utf-9'; try utf-8, cp949 or utf-16",
        ("--encoding", "utf-9"),
    ),
    Bad("host_names", table(), "error: unknown encoding 'idna'; try utf-8, cp949 or utf-16", ("--encoding", "idna")),
    Bad(
        "escapes",
        table(),
        "error: unknown encoding 'unicode_escape'; try utf-8, cp949 or utf-16",
        ("--encoding", "unicode_escape"),
    ),
    Bad(
        "missing_column",
        "id,sentence,subject_entity\n1,2,3\n",
        "error: missing_column.csv: line 1: no column object_entity",
    ),
    Bad(
        "misspelled_column",
        table(header="id,sentense,subject_entity,object_entity"),
        "error: misspelled_column.csv: line 1: no column sentence; not known: sentense (did you mean sentence?)",
    ),
    Bad(
        "columns_twice",
        table(header="id,sentence,subject_entity,object_entity,sentence"),
        "error: columns_twice.csv: line 1: column sentence appears twice; remove one",
    ),
    Bad(
        "colours_in_the_header",
        "\x1b[31mid,\u202esentence\n",
        f"error: colours_in_the_header.csv: line 1: {NO_COLUMNS}; "
        "not known: ·[31mid, ·sentence (did you mean sentence?)",
    ),
    Bad(
        "a_wide_header",
        ",".join(f"c{number}" for number in range(100_000)) + "\n",
        f"error: a_wide_header.csv: line 1: {NO_COLUMNS}; not known: c0, c1, c2, c3, c4, c5, c6, c7, ...",
    ),
    Bad(
        "a_header_of_a_megabyte",
        "x" * 1_000_000,
        f"error: a_header_of_a_megabyte.csv: line 1: {NO_COLUMNS}; not known: {'x' * 40}...",
    ),
    Bad(
        "nothing_but_nul", b"\0" * 5_000, f"error: nothing_but_nul.csv: line 1: {NO_COLUMNS}; not known: {'·' * 40}..."
    ),
    Bad(
        "every_byte",
        bytes(range(256)) * 20,
        "error: every_byte.csv: line 2: byte 0x80 is not utf-8",
    ),
    Bad("zip", b"PK\x03\x04....", "error: zip.csv: this is a zip archive, not a table"),
    Bad(
        "json",
        '[{"id": 1}]',
        "error: json.csv: line 1: no column sentence, subject_entity, object_entity",
    ),
    Bad(
        "json_of_numbers",
        "[1, 2]",
        "error: json_of_numbers.csv: line 1: '1' is JSON, but not an object with keys",
    ),
    Bad(
        "json_cut_off",
        '[{"id": 1},\n {"id": ',
        "error: json_cut_off.csv: line 2: not JSON (Expecting value): '{\"id\":'",
    ),
    Bad("not_parquet", b"PAR1\x15\x04", "hint: export the table as a CSV in UTF-8 from the program that wrote it"),
    Bad("not_a_workbook", b"PK\x03\x04....[Content_Types].xml", "hint: open it in a spreadsheet and save it again"),
    Bad(
        "gzip_cut_off",
        gzip.compress(table().encode())[:-9],
        "error: gzip_cut_off.csv: gzip cannot unpack it: Compressed file ended before the end-of-stream marker was "
        "reached; copy it again from where it came",
    ),
    Bad("latin1", "nom,prénom\n".encode("latin-1"), "error: latin1.csv: line 1: byte 0xe9 is not utf-8"),
    Bad(
        "words_without_types",
        table(row(subject="비틀즈", object_="조지 해리슨")),
        "error: words_without_types.csv: line 1: the entities have words, but no types",
    ),
    Bad(
        "flat_without_types",
        f"sentence,subject_word,object_word\n{SENTENCE},비틀즈,조지 해리슨\n",
        "error: flat_without_types.csv: line 1: no column subject_type: the entities have no types",
    ),
    Bad(
        "utf16_unmarked_and_not_named",
        table().encode("utf-16-be"),
        "error: utf16_unmarked_and_not_named.csv: this is UTF-16 without its mark",
    ),
    Bad("pdf", b"%PDF-1.7", "error: pdf.csv: this is PDF, not a table"),
    Bad(
        "page",
        "<!DOCTYPE html><title>404</title>",
        "error: page.csv: this is a web page, not a table",
    ),
    Bad("a_folder", os.mkdir, "error: invalid value for 'FILE...': File 'a_folder.csv' is a directory", code=2),
    Bad(
        "a_link_to_nothing",
        lambda path: path.symlink_to("nowhere"),
        "error: a_link_to_nothing.csv: cannot be read: No such file or directory; check the name and the folder",
    ),
)
"""Files that cannot be used at all."""


ROWS = (
    Bad(
        "duplicate_ids",
        table(row("7"), row("8"), row("7")),
        "  line 4, id 7  id: this id was used on line 2",
    ),
    Bad("no_id", table(row("")), "  line 2, id   id: the id is empty"),
    Bad("empty_sentence", table(row(sentence=" \u3000")), "  line 2, id 7  sentence: the sentence is empty"),
    Bad(
        "nul",
        table(row(sentence="조\0지")),
        "  line 2, id 7  sentence: holds a NUL character, which Postgres cannot store",
    ),
    Bad(
        "half_a_pair",
        table(row(sentence="조 @@ 지")).encode("utf-7").replace(b"@@", b"+2AA-"),
        "  line 2, id 7  sentence: holds half a surrogate pair, which is not a character",
        ("--encoding", "utf-7"),
    ),
    Bad(
        "a_mark_that_turns_text_round",
        table(row(sentence="\u202e" + SENTENCE)),
        "    | ~~~~~~~~~~  start_idx 0, end_idx 5 -> '·조지 해리'   word says '조지 해리슨' (at 1-6?)",
    ),
    Bad(
        "colours_in_an_id",
        table(row("\x1b[31m", subject="x")),
        f"  line 2, id ·[31m  {NOT_A_DICT}: 'x' (character 1, 'x')",
    ),
    Bad(
        "an_id_of_a_hundred_thousand",
        table(row("7" * 100_000, subject="x")),
        f"  line 2, id {'7' * 40}...  {NOT_A_DICT}: 'x' (character 1, 'x')",
    ),
    Bad("ragged", table("1,2,3", "1,2,3,4,5"), "  line 3  has 5 fields, the header has 4; is a comma not quoted?"),
    Bad(
        "an_open_quote",
        table(row(), '8,"조지'),
        "  line 3  cannot be split into columns (unexpected end of data); is a quote missing or not doubled?",
    ),
    Bad(
        "a_field_without_end",
        table(row("6"), row(sentence="가" * (4 * 1024 * 1024 + 1))),
        "  line 3  cannot be split into columns (field larger than field limit (4194304)); "
        "is a quote missing or not doubled?",
    ),
    Bad(
        "unknown_label",
        table(row("6") + ",no_relation", row() + ",per:titel", header=HEADER + ",label"),
        "  line 3, id 7  label: unknown label 'per:titel' (did you mean per:title?)",
    ),
    Bad(
        "broken_byte",
        table(row("1"), row("2")).encode().replace("노래".encode(), b"\xff", 1),
        "  line 2, id 1  byte 0xff is not utf-8",
    ),
    Bad("cut_within_a_character", table().encode() + "8,가".encode()[:-1], "  line 3  byte 0xea is not utf-8"),
    Bad(
        "two_files_joined",
        table(row("1"), HEADER, row("2")),
        "  line 3  the header again, as where files are joined; remove this line",
    ),
    *(
        Bad(name, *entity(text, f"{NOT_A_DICT}: {shown(text)} (character {at}, '{text[at - 1]}')"))
        for name, text, at in (
            ("no_literal", "비틀즈", 1),
            ("a_call", "__import__('os').mkdir('pwned')", 1),
            ("a_call_inside", SUBJECT.replace("'비틀즈'", "__import__('os').mkdir('pwned')"), 10),
            ("a_format", SUBJECT.replace("'비틀즈'", "f'{open(1)}'"), 10),
            ("a_lambda", "(lambda: {})()", 1),
            ("ten_thousand_minuses", "-" * 9_999 + "1", 1),
            ("a_list_as_key", "{[]: 1}", 2),
            ("a_number_of_5000_digits", SUBJECT.replace("11", "1" * 5_000), 2),
        )
    ),
    *(
        Bad(name, *entity(text, f"{NOT_A_DICT}: {says}"))
        for name, text, says in (
            ("ten_thousand_brackets", "[" * 9_999, f"'...{'[' * 40}...' (character 201, '[')"),
            (
                "no_number",
                SUBJECT.replace("11", "float('nan')"),
                "'...'비틀즈', 'start_idx': float('nan'), 'end_i...' (character 30, 'f')",
            ),
            ("too_early", SUBJECT[:-1], f"'...{SUBJECT[:-1][-40:]}' (it ends too early)"),
            (
                "a_problem_far_behind",
                SUBJECT.replace("ORG'", "ORG”"),
                f"'...{SUBJECT[-40:-2]}”}}' (character {len(SUBJECT) - 1}, '”' U+201D RIGHT DOUBLE QUOTATION MARK)",
            ),
        )
    ),
    *(
        Bad(name, *entity(text, f"subject_entity: {says}"))
        for name, text, says in (
            ("too_long", NESTED, f"longer than 10,000 characters: {shown(NESTED)}"),
            ("no_word", "{'start_idx': 11}", "word is missing in '{'start_idx': 11}'"),
            ("a_fraction", SUBJECT.replace("11", "11.5"), "start_idx must be a whole number, not '11.5'"),
            ("yes_as_number", SUBJECT.replace("11", "True"), "start_idx must be a whole number, not 'True'"),
            ("an_empty_word", SUBJECT.replace("비틀즈", ""), "the word is empty"),
            ("no_such_type", SUBJECT.replace("ORG", "OGR"), "unknown type 'OGR' (did you mean ORG?)"),
            ("below_zero", SUBJECT.replace("11", "-5"), "offsets lie outside the sentence"),
            ("behind_the_end", SUBJECT.replace("13", "9" * 40), "offsets lie outside the sentence"),
            ("turned_round", SUBJECT.replace("13", "5"), "word does not match the sentence"),
            ("half_a_pair_as_word", SUBJECT.replace("비틀즈", "\\ud800"), "word does not match the sentence"),
        )
    ),
    Bad(
        "overlap",
        table(row(object_="{'word': '틀즈가', 'start_idx': 12, 'end_idx': 14, 'type': 'PER'}")),
        "  line 2, id 7  object_entity: subject and object overlap: subject at 11-13, object at 12-14",
    ),
)
"""Files with a bad row: they are refused whole too, and the row is named."""


GOOD = (
    Bad("marked", table().encode("utf-8-sig"), ""),
    Bad("crlf", table(end="\r\n"), ""),
    Bad("cr", table(end="\r"), ""),
    Bad("no_end", table().rstrip("\n"), ""),
    Bad("cp949_named", table().encode("cp949"), "", ("--encoding", "cp949")),
    Bad("utf16_named", table().encode("utf-16"), "", ("--encoding", "utf-16")),
    Bad(
        "semicolons", f'{HEADER};\n7;{SENTENCE};"{SUBJECT}";"{OBJECT}";\n'.replace(HEADER, HEADER.replace(",", ";")), ""
    ),
    Bad(
        "unicode_text_of_excel",
        table().replace('","', '"\t"').replace(HEADER, HEADER.replace(",", "\t")).encode("utf-16"),
        "",
        ("--encoding", "utf-16"),
    ),
    Bad("numbers_as_text", table(row(subject=SUBJECT.replace("11", "'11'").replace("13", "13.0"))), ""),
    Bad("rows_of_nothing_but_commas", ",,,\n" + table(",,,", row(), " , ,, ", ",,,,,"), ""),
    Bad("newline_inside", table(row(sentence=SENTENCE + "\r\n다음 줄\n")), ""),
    Bad("blank_lines", table("", row(), "", ""), ""),
    Bad("a_megabyte", table(row(sentence=SENTENCE + "가" * 1_000_000)), ""),
    Bad("turned_round_behind", table(row(sentence=SENTENCE + "\u202e\u2066")), ""),
    Bad("[red]brackets[", table(), ""),
    Bad("json_entities", table(row(subject='{"type": "ORG", "end_idx": 13, "start_idx": 11, "word": "비틀즈"}')), ""),
)
"""What looks odd and is fine: one row each, and the id 7."""
