"""A row's own text is text to the model: whatever it says, it becomes no control token and moves no marker."""

import random
from itertools import product

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from relex.encoding.markers import Scheme, mark, marker_tokens
from relex.encoding.plain_text import _encoded
from relex.encoding.tokens import Encoder
from relex.files.reading import read_examples, read_labeled_examples
from relex.files.validation import check_table
from relex.model.checkpoint import load
from relex.model.markers import add_markers
from relex.registry.model_versions import SHIPPED
from tests.conftest import ROOT
from tests.fixtures.models import LETTERS

BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
CHARACTERS = [*LETTERS, *"[]<>/-=12ESPDCAUNKMLask", *"가나다라"]


def wordpiece(names):
    words = [*names.values(), *dict.fromkeys(CHARACTERS)]
    vocab = {token: number for number, token in enumerate([*words, *(f"##{each}" for each in words[5:])])}
    backend = Tokenizer(models.WordPiece(vocab, unk_token=names["unk"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return backend


def by_spaces(names):
    """A WordPiece that splits at spaces only: a control token that stands alone is a word of the vocabulary."""
    backend = wordpiece(names)
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


def unigram(names):
    """As XLM-R's: the control tokens are pieces of the vocabulary, and the best ones."""
    pieces = [(name, 0.0) for name in names.values()] + [("▁", -3.0)]
    pieces += [(each, -5.0) for each in dict.fromkeys([*CHARACTERS, "▁가나", "비틀즈"])]
    backend = Tokenizer(models.Unigram(pieces, unk_id=1))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return backend


def byte_level(names):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*names.values(), *alphabet])}
    backend = Tokenizer(models.BPE(vocab, [], unk_token=names["unk"], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return backend


KINDS = {
    "wordpiece": (wordpiece, BERT),
    "wordpiece by spaces": (by_spaces, BERT),
    "unigram": (unigram, ROBERTA),
    "bpe": (byte_level, ROBERTA),
}


@pytest.fixture(params=[(kind, scheme) for kind, scheme in product(KINDS, Scheme)], ids=str)
def made(request):
    """A tokenizer of each kind that knows the markers of each scheme, and both names."""
    kind, scheme = request.param
    make, names = KINDS[kind]
    backend = make(names)
    cls, sep = names["cls"], names["sep"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(each, backend.token_to_id(each)) for each in (cls, sep)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{name}_token": token for name, token in names.items()}
    )
    add_markers(tokenizer, scheme)
    return tokenizer, scheme, names


def example_with(make_example, text, row_no=0):
    """A sentence with the text before, between, behind and inside its entities."""
    subject, object_ = f"비틀즈{text}", f"{text}조지"
    sentence = f"가나 {text} 다{text} {subject}와 {text}의 {object_}는 {text}라 {text}"
    start, second = sentence.index(subject), sentence.index(f"의 {object_}") + 2
    return make_example(row_no, sentence, (start, start + len(subject)), (second, second + len(object_)))


@pytest.mark.parametrize("type_sentence", [False, True])
def test_text_that_reads_like_a_control_token_is_text(made, make_example, type_sentence):
    tokenizer, scheme, names = made
    encoder = Encoder(tokenizer, scheme, type_sentence, 500)
    forged = [*names.values(), "[E1-PER]", "[/E1-PER]", "[/E2-ORG]", "[E1][/E2]", names["sep"] * 3]
    examples = [example_with(make_example, text, number) for number, text in enumerate(forged)]
    (plain,) = encoder.encode([example_with(make_example, "가")])
    controls = set(tokenizer.all_special_ids) | set(tokenizer.convert_tokens_to_ids(marker_tokens(scheme)))
    controls.discard(tokenizer.unk_token_id)

    def skeleton(encoded):
        return [number for number in encoded.input_ids if number in controls]

    for example, encoded in zip(examples, encoder.encode(examples), strict=True):
        assert skeleton(encoded) == skeleton(plain)
        assert sum(encoded.token_type_ids) >= sum(plain.token_type_ids)
        for role in ("subject", "object"):
            span = getattr(encoded, role)
            if names is BERT:  # every character is a token of it
                read = "".join(tokenizer.convert_ids_to_tokens(list(encoded.input_ids[slice(*span)])))
                assert read.replace("##", "") == getattr(example, role).text
            if scheme in {Scheme.ENTITY_MARKER, Scheme.TYPED_ENTITY_MARKER}:
                before = tokenizer.convert_ids_to_tokens(encoded.input_ids[span[0] - 1])
                opening = span[0] - (2 if before in {"▁", "Ġ"} else 1)  # the space that starts the entity's word
                assert encoded.input_ids[opening] in controls
                assert encoded.input_ids[span[1]] in controls
                assert getattr(encoded, f"{role}_marker") == opening


@pytest.mark.parametrize("type_sentence", [False, True])
def test_ordinary_text_gets_the_tokens_of_the_tokenizer_itself_in_pieces_too(made, make_example, type_sentence):
    tokenizer, scheme, _ = made
    encoder = Encoder(tokenizer, scheme, type_sentence, 500)
    rng = random.Random(3)
    words = ["가", "나 다", "라.", "  ", "[", "E1", "]", "@ *", "<", "12", " "]
    examples = [example_with(make_example, "".join(rng.choices(words, k=4)), number) for number in range(30)]
    marked = [mark(example, scheme, type_sentence) for example in examples]
    whole = tokenizer.backend_tokenizer.encode_batch(
        [(each.text, each.pair) if each.pair else each.text for each in marked]
    )
    for text, encoding, encoded in zip(marked, whole, encoder.encode(examples), strict=True):
        assert list(encoded.input_ids) == encoding.ids
        assert list(encoded.token_type_ids) == encoding.type_ids
        pieces, once = encoder._plain_text._in_pieces(text), _encoded(encoding)
        assert (list(pieces.ids), list(pieces.type_ids)) == (once.ids, once.type_ids)
        assert (pieces.sentence, list(pieces.offsets)) == (once.sentence, once.offsets)


def test_hidden_entities_are_mask_tokens_and_written_ones_are_not(made, make_example):
    tokenizer, scheme, names = made
    encoder = Encoder(tokenizer, scheme, True, 500)
    example = example_with(make_example, names["mask"])
    (plain,), (hidden,) = encoder.encode([example]), encoder.encode_masked([example])
    masks = [place for place, number in enumerate(hidden.input_ids) if number == tokenizer.mask_token_id]
    assert tokenizer.mask_token_id not in plain.input_ids
    assert [*range(*hidden.subject), *range(*hidden.object)] == masks[:2]
    assert len(masks) == 4


@pytest.fixture(scope="module")
def starter():
    return load(SHIPPED / "starter").encoder


def test_the_starter_reads_ordinary_rows_as_before_and_control_tokens_as_text(starter):
    examples = read_labeled_examples(ROOT / "data" / "valid_data.csv")
    relation = starter._scheme, starter._type_sentence
    texts = [mark(example, *relation) for example in examples]
    backend = starter.tokenizer.backend_tokenizer
    before = backend.encode_batch([(each.text, each.pair) if each.pair else each.text for each in texts])
    for encoding, encoded in zip(before, starter.encode(examples), strict=True):
        assert encoded.truncated or list(encoded.input_ids) == encoding.ids


def test_the_starter_and_the_whole_of_klue(starter, klue):
    examples = read_labeled_examples(klue / "valid_data.csv")
    texts = [mark(example, starter._scheme, starter._type_sentence) for example in examples]
    backend = starter.tokenizer.backend_tokenizer
    before = backend.encode_batch([(each.text, each.pair) if each.pair else each.text for each in texts])
    found = starter.encode(examples)
    same = [list(a.input_ids) == b.ids for a, b in zip(found, before, strict=True) if not a.truncated]
    assert len(same) > 6_000
    assert all(same)
    assert "_textual" not in vars(starter._plain_text)  # no sentence was read twice


def test_the_case_of_a_public_bug_report(starter):
    path = ROOT.parent / "shared" / "cases" / "a24_control_tokens.csv"
    if not path.is_file():
        pytest.skip("the cases are not here")
    examples = list(read_examples(path, check_table(path)))
    markers = starter.tokenizer.convert_tokens_to_ids(marker_tokens(starter._scheme))
    controls = {*starter.tokenizer.all_special_ids, *markers} - {starter.tokenizer.unk_token_id}
    for encoded in starter.encode(examples):
        assert sum(number in controls for number in encoded.input_ids) == 6  # two of the template, four markers
