"""Tables with other columns: names, parts of entities, no ids, more than relex reads."""

from tests.files.real_life import (
    FLAT,
    WHOLE,
    RealFile,
    flat_rows,
    only,
    separated,
    whole_rows,
)

COLUMNS = (
    RealFile(
        "Korean columns",
        separated(["번호", "문장", "주체", "객체"], whole_rows()).encode(),
        note="columns 번호, 문장, 주체, 객체 are read as id, sentence, subject_entity, object_entity",
    ),
    RealFile(
        "Korean columns, decomposed",
        separated(["번호", "\u1106\u116e\u11ab\u110c\u1161\u11bc", "주체", "객체"], whole_rows()).encode(),
        note="are read as id, sentence, subject_entity, object_entity",
    ),
    RealFile(
        "English columns",
        separated(["guid", "text", "subject", "object"], whole_rows()).encode(),
        note="columns guid, text, subject, object are read as",
    ),
    RealFile(
        "columns in other spellings",
        separated(["ID", "Sentence", "Subject Entity", "object-entity"], whole_rows()).encode(),
        note="columns ID, Sentence, Subject Entity, object-entity are read as",
    ),
    RealFile(
        "own columns, mapped",
        separated(["key", "말", "갑", "을"], whole_rows()).encode(),
        options={"columns": "id=key,sentence=말,subject_entity=갑,object_entity=을"},
    ),
    RealFile(
        "own columns, not mapped",
        separated(["key", "말", "갑", "을"], whole_rows()).encode(),
        refused="no column sentence, subject_entity, object_entity; not known: key, 말, 갑, 을",
    ),
    RealFile(
        "a column that may be two",
        separated(["id", "text", "문장", *WHOLE[2:]], [[row[0], row[1], *row[1:]] for row in whole_rows()]).encode(),
        refused="each of the columns text, 문장 may be sentence\n"
        "hint: --columns sentence=text or --columns sentence=문장 reads it",
    ),
    RealFile(
        "a misspelled column",
        separated(["id", "sentense", *WHOLE[2:]], whole_rows()).encode(),
        refused="hint: --columns sentence=sentense reads it",
    ),
    RealFile(
        "no ids",
        separated(WHOLE[1:], only(whole_rows(), 1, 2, 3)).encode(),
        note="no column id: the rows are numbered from 0",
        ids=("0", "1", "2"),
    ),
    RealFile(
        "ids that are not meant",
        separated(WHOLE, whole_rows()).encode(),
        options={"columns": "id="},
        note="columns not read: id",
        ids=("0", "1", "2"),
    ),
    RealFile("parts of entities", separated(FLAT, flat_rows()).encode()),
    RealFile(
        "parts as in TACRED",
        separated([name.replace("subject", "subj").replace("object", "obj") for name in FLAT], flat_rows()).encode(),
        note="are read as subject_word, subject_start, subject_end, subject_type",
    ),
    RealFile(
        "parts as pandas flattens them",
        separated(
            [
                "id",
                "sentence",
                *(
                    f"{role}_entity.{part}"
                    for role in ("subject", "object")
                    for part in ("word", "start_idx", "end_idx", "type")
                ),
            ],
            flat_rows(),
        ).encode(),
        note="are read as",
    ),
    RealFile(
        "types beside entities in one cell",
        separated([*WHOLE, "subject_type"], [[*row, "ORG"] for row in whole_rows()]).encode(),
        note="columns not read: subject_type",
    ),
    RealFile(
        "offsets without words, inclusive",
        separated([name for name in FLAT if "word" not in name], only(flat_rows(), 0, 1, 3, 4, 5, 7, 8, 9)).encode(),
        options={"offsets": "inclusive"},
    ),
    RealFile(
        "offsets without words",
        separated([name for name in FLAT if "word" not in name], only(flat_rows(), 0, 1, 3, 4, 5, 7, 8, 9)).encode(),
        refused="hint: --offsets inclusive or --offsets exclusive reads it",
    ),
    RealFile(
        "more columns",
        separated([*WHOLE, "메모", ""], [[*row, "=1+1", "x"] for row in whole_rows()]).encode(),
        note="columns not read: 메모",
    ),
)
