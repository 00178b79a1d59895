"""A good row of a CSV, and what can be wrong in the text of one."""

SENTENCE = "조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 노래다."


SUBJECT = "{'word': '비틀즈', 'start_idx': 11, 'end_idx': 13, 'type': 'ORG'}"


OBJECT = "{'word': '조지 해리슨', 'start_idx': 0, 'end_idx': 5, 'type': 'PER'}"


HEADER = "id,sentence,subject_entity,object_entity"


NO_COLUMNS = "no column sentence, subject_entity, object_entity"


NESTED = '{"a":' * 3_000


NOT_A_DICT = "subject_entity: neither a Python dict nor JSON"


def row(id_="7", sentence=SENTENCE, subject=SUBJECT, object_=OBJECT):
    """A record as it stands in a file; every cell is quoted."""
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in (id_, sentence, subject, object_))


def table(*rows, header=HEADER, end="\n"):
    """A whole file."""
    return end.join((header, *(rows or (row(),)), ""))


def shown(text):
    """How a message quotes what stood in a file."""
    return f"'{text[:40]}{'...' if len(text) > 40 else ''}'"


def entity(text, says):
    """A file of which one subject is wrong, and what is said of it behind its place."""
    return table(row("6"), row(subject=text)), f"  line 3, id 7  {says}"
