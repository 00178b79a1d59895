"""Words beside markers are split as in plain text: an entity starts a word, the particle after it does not."""

import unicodedata

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from relex.encoding.markers import Scheme, mark, marker_tokens
from relex.encoding.plain_text import _encoded
from relex.encoding.tokens import Encoder
from relex.files.reading import read_labeled_examples
from relex.model.checkpoint import load, save
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.markers import add_markers
from relex.model.tokenizer import backbone_tokenizer
from tests.pretraining.folders import write_unigram
from tests.processes import ROOT

MARKED = [Scheme.ENTITY_MARKER, Scheme.TYPED_ENTITY_MARKER]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone")
    write_unigram(path)
    return str(path)


@pytest.fixture(scope="module")
def examples():
    return [
        example for name in ("train", "valid") for example in read_labeled_examples(ROOT / "data" / f"{name}_data.csv")
    ]


def byte_pairs():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    backend = Tokenizer(models.BPE({token: number for number, token in enumerate([*names, *alphabet])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(names)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", mask_token="<mask>")


@pytest.mark.parametrize("scheme", MARKED)
def test_a_sentencepiece_vocabulary_starts_the_entitys_word_and_no_particles(folder, examples, scheme):
    tokenizer = backbone_tokenizer(folder)
    add_markers(tokenizer, scheme)
    particles = 0
    for example, encoded in zip(examples, Encoder(tokenizer, scheme, False, 160).encode(examples), strict=True):
        tokens = tokenizer.convert_ids_to_tokens(list(encoded.input_ids))
        for entity, span in ((example.subject, encoded.subject), (example.object, encoded.object)):
            before = tokens[span[0] - 1 : span[0] + 1]
            assert before[0] == "▁" or (before[0] in marker_tokens(scheme) and before[1].startswith("▁"))
            after = example.sentence[entity.end : entity.end + 1]
            assert tokens[span[1]] in marker_tokens(scheme)
            if after and not after.isspace() and tokens[span[1] + 1] not in marker_tokens(scheme):
                assert not tokens[span[1] + 1].startswith("▁")
                particles += 1
    assert particles > 200


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("mask", [None, "<mask>"])
def test_tokens_of_pieces_are_those_of_the_whole_text(folder, examples, scheme, mask):
    tokenizer = backbone_tokenizer(folder)
    add_markers(tokenizer, scheme)
    encoder = Encoder(tokenizer, scheme, True, 160)
    for example in examples[:60]:
        text = mark(example, scheme, True, mask)
        whole = _encoded(tokenizer.backend_tokenizer.encode(text.text, text.pair))
        pieces = encoder._plain_text._in_pieces(text)
        assert (list(pieces.ids), list(pieces.offsets)) == (whole.ids, whole.offsets)


def test_spans_hold_the_entities_words_and_nothing_else(folder, examples):
    for scheme in MARKED:
        tokenizer = backbone_tokenizer(folder)
        add_markers(tokenizer, scheme)
        for example, encoded in zip(examples, Encoder(tokenizer, scheme, True, 160).encode(examples), strict=True):
            for role in ("subject", "object"):
                read = tokenizer.decode(encoded.input_ids[slice(*getattr(encoded, role))])
                expected = unicodedata.normalize("NFKC", getattr(example, role).text)
                assert read.replace(" ", "") == expected.replace(" ", "")
                assert encoded.input_ids[getattr(encoded, f"{role}_marker")] in tokenizer.convert_tokens_to_ids(
                    marker_tokens(scheme)
                )


def test_a_masked_entity_is_one_token_between_its_markers(folder, examples):
    tokenizer = backbone_tokenizer(folder)
    add_markers(tokenizer, Scheme.TYPED_ENTITY_MARKER)
    for encoded in Encoder(tokenizer, Scheme.TYPED_ENTITY_MARKER, True, 160).encode_masked(examples):
        for span in (encoded.subject, encoded.object):
            left, mask, right = tokenizer.convert_ids_to_tokens(list(encoded.input_ids[span[0] - 1 : span[1] + 1]))
            assert (left[:2], mask, right[:3]) == ("[E", "<mask>", "[/E")


def test_a_byte_level_vocabulary_sees_a_space_before_the_entity_only(make_example):
    tokenizer = byte_pairs()
    add_markers(tokenizer, Scheme.ENTITY_MARKER)
    text = mark(make_example(0, "Ab Cd Ef is", (3, 5), (6, 8)), Scheme.ENTITY_MARKER, type_sentence=False).text
    tokens = tokenizer.backend_tokenizer.encode(text).tokens
    assert [token.strip() for token in tokens] == [*"Ab", "[E1]", *"ĠCd", "[/E1]", "[E2]", *"ĠEf", "[/E2]", *"Ġis"]


def test_a_checkpoint_splits_words_as_its_training_did(folder, examples, tmp_path):
    tokenizer = backbone_tokenizer(folder)
    model = RelationClassifier.from_backbone(folder, ModelConfig(type_sentence=True), tokenizer)
    save(tmp_path / "checkpoint", model, tokenizer, {})
    loaded = load(tmp_path / "checkpoint")
    assert loaded.encoder.encode(examples) == model.encoder(tokenizer).encode(examples)
    assert loaded.encoder.encode_masked(examples) == model.encoder(tokenizer).encode_masked(examples)


def test_unknown_characters_of_a_unigram_vocabulary_stay_in_their_entity(folder, make_example):
    """Its model does not name the unknown token, which must not be taken for a control token and left out."""
    tokenizer = backbone_tokenizer(folder)
    add_markers(tokenizer, Scheme.ENTITY_MARKER)
    encoder = Encoder(tokenizer, Scheme.ENTITY_MARKER, False, 160)
    plain, forged = encoder.encode(
        [make_example(0, "푈 가 뷁갉 나", (0, 1), (4, 6)), make_example(1, "푈 가 뷁갉 나 </s>", (0, 1), (4, 6))]
    )
    for encoded in (plain, forged):
        for span in (encoded.subject, encoded.object):
            assert encoded.input_ids[slice(*span)] == (tokenizer.unk_token_id,)
