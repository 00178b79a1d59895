"""The tokenizer of BERT-like backbones whose vocabulary is a SentencePiece model, such as KoBERT.

Such repositories name XLNet's tokenizer, because their own needs remote code. XLNet's tokenizer splits Hangul, puts
[CLS] at the end and pads on the left: every Korean word would become [UNK]. This one splits text as SentencePiece does,
and adds special tokens as BERT does: [CLS] text [SEP] pair [SEP].
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import generate_merges

from relex.errors import InvalidConfig
from relex.model.folder import CONFIG, TOKENIZER, TOKENIZER_CONFIG, read_json

BERT_LIKE = frozenset({"bert", "distilbert", "electra", "modernbert"})
"""Model types with [CLS] text [SEP]; others with SentencePiece have tokenizers in transformers."""
SPACE = "▁"
UNIGRAM, BYTE_PAIRS = 1, 2
UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def sentencepiece_file(folder: Path) -> Path | None:
    """Find the SentencePiece model of a BERT-like backbone that has no other vocabulary."""
    if any((folder / name).is_file() for name in (TOKENIZER, "vocab.txt")):
        return None
    paths = sorted(folder.glob("*.model"))
    model_type = read_json(folder / CONFIG).get("model_type") if paths and (folder / CONFIG).is_file() else None
    return paths[0] if model_type in BERT_LIKE else None


def sentencepiece_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Create the tokenizer of a SentencePiece model, with the tokens of tokenizer_config.json.

    Raises:
        InvalidConfig: the file is damaged, of another kind, or lacks a special token.
    """
    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise InvalidConfig(f"{path}: no SentencePiece model: {error}; fetch it again") from error
    special = _special_tokens(path.with_name(TOKENIZER_CONFIG))
    ids = {piece.piece: number for number, piece in enumerate(proto.pieces)}
    missing = [token for name, token in special.items() if token not in ids and name != "mask_token"]
    if missing:
        raise InvalidConfig(f"{path}: has no {', '.join(missing)}; choose another backbone")
    tokenizer = Tokenizer(_model(proto, ids))
    tokenizer.normalizer = _normalizer(proto.normalizer_spec)
    prefix = "always" if proto.normalizer_spec.add_dummy_prefix else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme=prefix)
    tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme=prefix)
    tokenizer.add_special_tokens(_added(proto, (UNKNOWN, CONTROL), special=True))
    tokenizer.add_tokens(_added(proto, (USER_DEFINED,), special=False))
    start, end = special["cls_token"], special["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(token, ids[token]) for token in (start, end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{name: token for name, token in special.items() if token in ids}
    )


def _special_tokens(path: Path) -> dict[str, str]:
    """Read the special tokens by their role; a token is text or a dictionary with its content."""
    config: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    tokens = {name: config.get(name) or token for name, token in SPECIAL.items()}
    return {name: str(token["content"] if isinstance(token, dict) else token) for name, token in tokens.items()}


def _model(proto: Any, ids: Mapping[str, int]) -> Unigram | BPE:
    kind, fallback = proto.trainer_spec.model_type, proto.trainer_spec.byte_fallback
    if kind == UNIGRAM:
        pieces = [(piece.piece, piece.score) for piece in proto.pieces]
        return Unigram(pieces, unk_id=proto.trainer_spec.unk_id, byte_fallback=fallback)
    if kind == BYTE_PAIRS:
        special = {piece.piece for piece in proto.pieces if piece.type in {UNKNOWN, CONTROL, USER_DEFINED}}
        merges = generate_merges(dict(ids), {piece.piece: piece.score for piece in proto.pieces}, special)
        unknown = proto.pieces[proto.trainer_spec.unk_id].piece
        return BPE(dict(ids), merges, unk_token=unknown, fuse_unk=True, byte_fallback=fallback)
    raise InvalidConfig("a SentencePiece model of words or characters is not supported; choose another backbone")


def _normalizer(spec: Any) -> normalizers.Sequence:
    steps: list[Any] = [normalizers.Precompiled(spec.precompiled_charsmap)] if spec.precompiled_charsmap else []
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(left=False, right=True)]
    return normalizers.Sequence(steps)


def _added(proto: Any, types: tuple[int, ...], *, special: bool) -> list[AddedToken]:
    return [AddedToken(piece.piece, normalized=False, special=special) for piece in proto.pieces if piece.type in types]
