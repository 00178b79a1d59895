"""Other words for the entities of a labeled file, to see who remembers names."""

from benchmarks.proxies import with_other_words
from tests.tiny_training import tiny_data


def words_of(examples):
    return {(entity.type, entity.text) for each in examples for entity in (each.subject, each.object)}


def test_other_words_are_of_the_same_type_and_unknown_to_the_training():
    _, valid = tiny_data()
    known = [each for each in valid if each.subject.text in "가나다" and each.object.text in "가나다"]
    found = with_other_words(valid, known)
    assert known
    assert words_of(found) <= words_of(valid)
    assert not {text for _, text in words_of(found)} & {text for _, text in words_of(known)}
    assert [each.label for each in found] == [each.label for each in valid]
    assert found == with_other_words(valid, known)
