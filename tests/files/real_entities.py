"""Tables whose entities are described in other ways: words, keys, offsets, types."""

from tests.files.real_life import (
    FLAT,
    KOREAN_TYPES,
    KOREAN_WORDS,
    ONTONOTES,
    TWICE,
    WHOLE,
    WORD_ROWS,
    WORDS,
    RealFile,
    decomposed_rows,
    exclusive,
    flat_rows,
    numbers,
    only,
    renamed,
    separated,
    smiling,
    units,
    whole_rows,
    without,
)

ENTITIES = (
    RealFile(
        "words", separated(WORDS, WORD_ROWS).encode(), note="each word is located at its only place in the sentence"
    ),
    RealFile(
        "words in Korean columns, cp949, semicolons",
        separated(KOREAN_WORDS, only(flat_rows(types=KOREAN_TYPES), 0, 1, 2, 5, 6, 9), ";").encode("cp949"),
        "cp949, ';'-separated",
        "types 인물, 기관, 장소 are read as PER, ORG, LOC",
    ),
    RealFile(
        "words in dicts",
        separated(WHOLE, whole_rows(change=without("start_idx", "end_idx"))).encode(),
        note="only place",
    ),
    RealFile(
        "a word that occurs twice",
        separated(WORDS, TWICE).encode(),
        refused="'김하늘' occurs several times in the sentence, and no offset says which is meant",
    ),
    RealFile(
        "a word that does not occur",
        separated(WORDS, [[*row[:2], "없는말", *row[3:]] for row in WORD_ROWS]).encode(),
        refused="'없는말' is nowhere in the sentence",
    ),
    RealFile(
        "words without types",
        separated(["id", "sentence", "subject", "object"], only(flat_rows(), 0, 1, 2, 6)).encode(),
        refused="docs/how-to/entities-without-types.md shows how to get them",
    ),
    RealFile(
        "dicts without types",
        separated(WHOLE, whole_rows(change=without("type"))).encode(),
        refused="type is missing in",
    ),
    RealFile(
        "keys text and entity_type",
        separated(WHOLE, whole_rows(change=renamed(word="text", type="entity_type"))).encode(),
    ),
    RealFile(
        "keys start and end",
        separated(
            WHOLE, whole_rows(change=lambda values: renamed(start_idx="start", end_idx="end")(exclusive(values)))
        ).encode(),
        options={"offsets": "exclusive"},
    ),
    RealFile("offsets as text", separated(WHOLE, whole_rows(change=numbers(str))).encode()),
    RealFile("offsets as floats", separated(WHOLE, whole_rows(change=numbers(float))).encode()),
    RealFile("parts with floats", separated(FLAT, flat_rows(lambda start, last: (float(start), float(last)))).encode()),
    RealFile(
        "parts of numpy",
        separated(FLAT, flat_rows(lambda start, last: (f"np.int64({start})", f"np.int64({last})"))).encode(),
    ),
    RealFile(
        "exclusive ends",
        separated(WHOLE, whole_rows(change=exclusive)).encode(),
        refused="hint: --offsets exclusive reads it",
    ),
    RealFile(
        "exclusive ends, said",
        separated(WHOLE, whole_rows(change=exclusive)).encode(),
        options={"offsets": "exclusive"},
    ),
    RealFile(
        "exclusive ends, said to be inclusive",
        separated(WHOLE, whole_rows(change=exclusive)).encode(),
        options={"offsets": "inclusive"},
        refused="hint: --offsets exclusive reads it",
    ),
    RealFile(
        "inclusive ends, said to be exclusive",
        separated(WHOLE, whole_rows()).encode(),
        options={"offsets": "exclusive"},
        refused="hint: --offsets inclusive reads it",
    ),
    RealFile(
        "exclusive ends in parts",
        separated(FLAT, flat_rows(lambda start, last: (start, last + 1))).encode(),
        refused="hint: --offsets exclusive reads it",
    ),
    RealFile(
        "exclusive ends in one row of three",
        separated(WHOLE, [*whole_rows()[:2], whole_rows(change=exclusive)[2]]).encode(),
        refused="1 of 3 rows is invalid",
    ),
    RealFile(
        "exclusive ends in two rows of three",
        separated(WHOLE, [whole_rows()[0], *whole_rows(change=exclusive)[1:]]).encode(),
        refused="2 of 3 rows are invalid",
    ),
    RealFile(
        "offsets from one",
        separated(FLAT, flat_rows(lambda start, last: (start + 1, last + 1))).encode(),
        refused="hint: --offsets one-based reads it",
    ),
    RealFile(
        "offsets from one, said",
        separated(FLAT, flat_rows(lambda start, last: (start + 1, last + 1))).encode(),
        options={"offsets": "one-based"},
    ),
    RealFile(
        "offsets from one, exclusive ends",
        separated(FLAT, flat_rows(lambda start, last: (start + 1, last + 2))).encode(),
        refused="hint: --offsets one-based reads it",
    ),
    RealFile(
        "offsets from one, exclusive ends, said",
        separated(FLAT, flat_rows(lambda start, last: (start + 1, last + 2))).encode(),
        options={"offsets": "one-based"},
        note="end_idx is exclusive in this file",
    ),
    RealFile(
        "offsets from one, said to be bytes",
        separated(FLAT, flat_rows(lambda start, last: (start + 1, last + 1))).encode(),
        options={"offsets": "bytes"},
        refused="hint: --offsets one-based reads it",
    ),
    RealFile(
        "units of UTF-16",
        separated(WHOLE, smiling(lambda text, start, end: (units(text, start), units(text, end)))).encode(),
        refused="hint: --offsets utf-16 reads it",
    ),
    RealFile(
        "bytes",
        separated(
            WHOLE, smiling(lambda text, start, end: (len(text[:start].encode()), len(text[:end].encode())))
        ).encode(),
        refused="hint: --offsets bytes reads it",
    ),
    RealFile(
        "types of OntoNotes",
        separated(FLAT, flat_rows(types=ONTONOTES)).encode(),
        note="types PERSON, ORGANIZATION, LOCATION are read as PER, ORG, LOC",
    ),
    RealFile(
        "types in small letters",
        separated(FLAT, flat_rows(types={"PER": "per", "ORG": "org", "LOC": "loc"})).encode(),
        note="types per, org, loc",
    ),
    RealFile(
        "a type that is not known",
        separated(FLAT, flat_rows(types={"PER": "ANIMAL"})).encode(),
        refused="unknown type 'ANIMAL'",
    ),
    RealFile(
        "decomposed text",
        separated(WHOLE, decomposed_rows()).encode(),
        note="decomposed text (NFD, as macOS writes it) in 3 rows",
    ),
)
