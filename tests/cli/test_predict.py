"""`relex predict`: one sentence, no database; what it refuses, and what it prints at any width."""

import json
import unicodedata

import pytest
from rich.cells import cell_len

from relex.domain.results import confidence
from relex.labels import RELATIONS
from relex.model.calibration import read_calibration
from relex.registry.model_versions import SHIPPED
from tests.command_line import run_command
from tests.processes import environment

SENTENCE = "조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 비틀즈의 노래다."
SUBJECT, OBJECT = ("--subject", "비틀즈:ORG@1"), ("--object", "조지 해리슨:PER")


@pytest.fixture
def predict(tmp_path):
    """Run the command with a fake scorer, without a database, in a home that must stay unmade."""
    env = environment(home=tmp_path / "home", scorer="tests.factories:FakeScorer")

    def run(*arguments, code=0, **more):
        done = run_command("predict", *arguments, env=env | more)
        assert done.returncode == code, done.stderr
        assert not (tmp_path / "home").exists()
        return done

    return run


def test_it_prints_the_sentence_with_both_entities_and_five_bars(predict):
    out = predict(SENTENCE, *SUBJECT, *OBJECT).stdout.splitlines()
    assert out[0] == "(조지 해리슨)이 쓰고 [비틀즈]가 1969년 앨범에 담은 비틀즈의 노래다."
    assert out[1] == "subject 비틀즈 (ORG)   object 조지 해리슨 (PER)   model starter"
    assert out.pop().startswith("note: the sentence is longer than the model reads")  # says the fake scorer
    assert len(out) == 7
    label, bar, probability = out[2].split()
    assert label in RELATIONS
    assert (set(bar), probability) == ({"█"}, "0.50")
    assert [line.split()[-1] for line in out[3:]] == ["0.02"] * 4


def test_json_has_every_probability(predict):
    data = json.loads(predict(SENTENCE, *SUBJECT, *OBJECT, "--json").stdout)
    assert data["subject_entity"] == {"word": "비틀즈", "start_idx": 11, "end_idx": 13, "type": "ORG"}
    assert data["object_entity"] == {"word": "조지 해리슨", "start_idx": 0, "end_idx": 5, "type": "PER"}
    assert (list(data["probs"]), data["model"]) == (list(RELATIONS), "starter")
    calibration = read_calibration(SHIPPED / "starter")
    assert data["probs"][data["pred_label"]] == 0.5
    assert data["confidence"] == confidence([0.5], calibration.confidence if calibration else None)


@pytest.mark.parametrize(("name", "type_"), [("org", "ORG"), ("기관", "ORG"), ("ORGANIZATION", "ORG"), ("작품", "POH")])
def test_a_type_may_have_another_usual_name(predict, name, type_):
    data = json.loads(predict(SENTENCE, "--subject", f"비틀즈:{name}@2", *OBJECT, "--json").stdout)
    assert (data["subject_entity"]["type"], data["subject_entity"]["start_idx"]) == (type_, SENTENCE.rindex("비틀즈"))


def test_the_second_place_can_be_named(predict):
    data = json.loads(predict(SENTENCE, "--subject", "비틀즈:ORG@2", *OBJECT, "--json").stdout)
    assert data["subject_entity"]["start_idx"] == SENTENCE.rindex("비틀즈")


def test_text_of_a_mac_is_composed(predict):
    """Typed as single letters (NFD), sentence and word still meet."""
    typed = [unicodedata.normalize("NFD", text) for text in (SENTENCE, SUBJECT[1], OBJECT[1])]
    data = json.loads(predict(typed[0], "--subject", typed[1], "--object", typed[2], "--json").stdout)
    assert (data["sentence"], data["subject_entity"]["start_idx"]) == (SENTENCE, 11)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("비틀즈", "--subject '비틀즈': write WORD:TYPE, as in `--subject 비틀즈:ORG`"),
        (":ORG", "--subject ':ORG': write WORD:TYPE, as in `--subject 비틀즈:ORG`"),
        ("비틀즈:OGR", "--subject: unknown type 'OGR' (did you mean ORG?); `relex labels` lists them"),
        ("비틀즈:XYZ", "--subject: unknown type 'XYZ'; `relex labels` lists them"),
        ("비틀스:ORG", "--subject: '비틀스' is not in the sentence: check its spelling and its spaces"),
        ("비틀즈:ORG@3", "--subject: '비틀즈' is in the sentence 2 times, not 3"),
        ("조지:PER", "subject and object overlap: subject at 0-1, object at 0-5"),
    ],
)
def test_a_word_that_cannot_be_marked_is_refused(predict, subject, message):
    assert predict(SENTENCE, "--subject", subject, *OBJECT, code=3).stderr == f"error: {message}\n"


def test_a_word_at_several_places_is_refused_with_all_of_them(predict):
    lines = predict(SENTENCE, "--subject", "비틀즈:ORG", *OBJECT, code=3).stderr.splitlines()
    assert lines[0] == "error: --subject: '비틀즈' is in the sentence 2 times"
    assert lines[-1] == "hint: `--subject '비틀즈:ORG@1'` takes the first"
    for number, (excerpt, underline) in enumerate(zip(lines[1:-1:2], lines[2:-1:2], strict=True), 1):
        before, word, after = underline.removeprefix("    | ").rpartition("~~~~~~")
        assert (word, after) == ("~~~~~~", f"  비틀즈:ORG@{number}")
        at = [n for n in range(len(excerpt)) if excerpt[6:].startswith("비틀즈", n)][number - 1]
        assert cell_len(excerpt[6 : 6 + at]) == len(before)


def test_words_that_mean_something_in_a_pattern_are_just_words(predict):
    sentence = "C++(언어)는 [벨 연구소]에서 나왔다. C+"
    out = predict(sentence, "--subject", "C++(언어):POH", "--object", "[벨 연구소]:ORG").stdout
    assert out.startswith("[C++(언어)]는 ([벨 연구소])에서")


def test_a_registered_version_is_looked_up_in_the_database(predict, database_url, tmp_path):
    lost = predict(SENTENCE, *SUBJECT, *OBJECT, "--model", "nobody", code=5, RELEX_DATABASE_URL=database_url)
    assert "no model version called 'nobody'" in lost.stderr
