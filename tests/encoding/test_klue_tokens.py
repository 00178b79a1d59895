"""Spans on real sentences with the real KLUE WordPiece; both stay outside the repository."""

import ast
import csv
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from relex.domain.examples import Entity, Example
from relex.encoding.markers import Scheme, marker_tokens
from relex.encoding.tokens import Encoder

SHARED = Path(__file__).parents[2].parent / "shared"
TOKENIZER = SHARED / "klue-tokenizer" / "tokenizer.json"
SENTENCES = SHARED / "klue-re" / "valid_data.csv"

pytestmark = pytest.mark.skipif(
    not (TOKENIZER.is_file() and SENTENCES.is_file()), reason="needs KLUE's tokenizer and sentences in ../shared"
)


def entity(cell):
    raw = ast.literal_eval(cell)
    return Entity(raw["word"], raw["start_idx"], raw["end_idx"] + 1, raw["type"])


@pytest.fixture(scope="module")
def klue_examples():
    with SENTENCES.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[:800]
    return [
        Example(number, row["id"], row["sentence"], entity(row["subject_entity"]), entity(row["object_entity"]))
        for number, row in enumerate(rows)
    ]


@pytest.fixture
def klue_tokenizer():
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER), **names)


def spelled(tokenizer, ids):
    """The text of some tokens, without WordPiece's marks and spaces."""
    return "".join(token.removeprefix("##") for token in tokenizer.convert_ids_to_tokens(list(ids)))


@pytest.mark.parametrize("scheme", [s for s in Scheme if s is not Scheme.NONE])
@pytest.mark.parametrize("max_length", [160, 48])
def test_every_span_spells_its_entity(klue_tokenizer, klue_examples, scheme, max_length):
    klue_tokenizer.add_tokens(list(marker_tokens(scheme)), special_tokens=True)
    encoded = Encoder(klue_tokenizer, scheme, type_sentence=False, max_length=max_length).encode(klue_examples)
    compared = repeated = 0
    for example, tokens in zip(klue_examples, encoded, strict=True):
        assert len(tokens.input_ids) <= max_length
        for item, (start, end) in ((example.subject, tokens.subject), (example.object, tokens.object)):
            text = spelled(klue_tokenizer, tokens.input_ids[start:end])
            repeated += example.sentence.count(item.text) > 1
            if "[UNK]" in text:
                continue
            assert text == "".join(item.text.split())
            compared += 1
    assert compared > 1550
    assert repeated > 50
    assert sum(tokens.truncated for tokens in encoded) > {160: 0, 48: 400}[max_length]


def test_typed_markers_are_one_token_each(klue_tokenizer, klue_examples):
    markers = marker_tokens(Scheme.TYPED_ENTITY_MARKER)
    klue_tokenizer.add_tokens(list(markers), special_tokens=True)
    ids = set(klue_tokenizer.convert_tokens_to_ids(list(markers)))
    encoder = Encoder(klue_tokenizer, Scheme.TYPED_ENTITY_MARKER, type_sentence=False, max_length=160)
    for tokens in encoder.encode(klue_examples):
        assert sum(token in ids for token in tokens.input_ids) == 4
        for (start, end), marker in (
            (tokens.subject, tokens.subject_marker),
            (tokens.object, tokens.object_marker),
        ):
            assert marker == start - 1
            assert {tokens.input_ids[marker], tokens.input_ids[end]} <= ids
