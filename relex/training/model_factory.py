"""A WordPiece vocabulary of the training file, for encoders that start from scratch.

Plain `tokenizers`; the trainer wraps it for transformers. Hangul is kept as written: no lower case, no stripped
accents, which would take syllables apart.

The untrained classifier that a recipe asks for: on a pre-trained backbone, or made anew.
"""

from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import PreTrainedTokenizerFast, RobertaConfig

from relex.domain.examples import Example
from relex.encoding.markers import mark
from relex.model.classifier import RelationClassifier, backbone_tokenizer
from relex.model.config import ModelConfig
from relex.model.hub import Progress
from relex.training.recipe.config import TrainingConfig
from relex.training.recipe.sections import ScratchBackbone

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, START, END, MASK]
"""Their ids are their places: padding is 0, where RoBERTa starts to count positions."""
ALPHABET_SHARE = 4
"""One entry in so many may be a single character; most come twice, at a word's start and inside it."""


def train_wordpiece(texts: Sequence[str], size: int) -> Tokenizer:
    """A tokenizer of about `size` entries for one text or a pair; the same texts give the same one.

    The trainer numbers what it meets in the order of a hash table that differs from run to run, and breaks ties
    by those numbers. So every single character gets its number here, as a special token of a draft that is
    thrown away; its vocabulary is what counts.
    """
    draft = _tokenizer(WordPiece(unk_token=UNKNOWN))
    at_start, inside = _characters(draft, texts, limit=size // ALPHABET_SHARE)
    trainer = WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL, *at_start, *(f"##{character}" for character in inside)],
        initial_alphabet=at_start,
        limit_alphabet=len(at_start),
        show_progress=False,
    )
    draft.train_from_iterator(texts, trainer)
    tokenizer = _tokenizer(WordPiece(draft.get_vocab(), unk_token=UNKNOWN))
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} $B:1 {END}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    return tokenizer


def _tokenizer(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def _characters(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> tuple[list[str], list[str]]:
    """The most frequent characters, and those of them that stand inside words, in an order of their own."""
    words: Counter[str] = Counter()
    for text in texts:
        pieces = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        words.update(word for word, _ in pieces)
    counts: Counter[str] = Counter()
    for word, times in words.items():
        counts.update(dict.fromkeys(word, times))
    kept = sorted(counts, key=lambda character: (-counts[character], character))[:limit]
    seen_inside = {character for word in words for character in word[1:]}
    return kept, [character for character in kept if character in seen_inside]


def build_classifier(
    config: TrainingConfig, train: Sequence[Example], progress: Progress | None = None
) -> tuple[RelationClassifier, PreTrainedTokenizerFast]:
    """A classifier over the 30 relations and its tokenizer, which knows the markers.

    Args:
        config: the recipe.
        train: read for the vocabulary of a backbone made anew.
        progress: hears how much of a backbone is fetched.

    Raises:
        InvalidConfig, ModelNotFound, ServiceUnreachable, RelexError: the backbone cannot be had as asked.
    """
    model_config = ModelConfig(
        scheme=config.input.scheme,
        type_sentence=config.input.type_sentence,
        pooling=config.pooling,
        max_length=config.input.max_length,
        on_overflow=config.input.on_overflow,
        dropout=config.dropout,
    )
    if config.backbone.scratch:
        tokenizer = _new_tokenizer(config, config.backbone.scratch.vocabulary, train)
        backbone = _new_backbone(config.backbone.scratch, config.input.max_length)
        return RelationClassifier.from_scratch(backbone, model_config, tokenizer), tokenizer
    name = str(config.backbone.name)
    tokenizer = backbone_tokenizer(name)
    return RelationClassifier.from_backbone(name, model_config, tokenizer, progress), tokenizer


def _new_tokenizer(config: TrainingConfig, size: int, train: Sequence[Example]) -> PreTrainedTokenizerFast:
    """Trained on the sentences as the model reads them, so that a scheme's ordinary words are known."""
    marked = [mark(example, config.input.scheme, config.input.type_sentence) for example in train]
    texts = [text for item in marked for text in (item.text, item.pair) if text]
    return PreTrainedTokenizerFast(
        tokenizer_object=train_wordpiece(texts, size),
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )


def _new_backbone(shape: ScratchBackbone, max_length: int) -> RobertaConfig:
    return RobertaConfig(
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate_size,
        # RoBERTa's first position is the one after the padding's id, which is 0.
        max_position_embeddings=max_length + 1,
        type_vocab_size=1,
    )
