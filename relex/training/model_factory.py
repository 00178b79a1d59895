"""The untrained classifier of a recipe: on a pre-trained backbone, or from scratch with a new WordPiece vocabulary.

The tokenizer keeps Hangul as written: no lower case and no stripped accents, which would split syllables.
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
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.hub import Progress
from relex.model.tokenizer import backbone_tokenizer, check_known
from relex.training.recipe.config import TrainingConfig
from relex.training.recipe.sections import ScratchBackbone

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, START, END, MASK]
"""Special tokens in the order of their ids: padding is 0, where RoBERTa starts to count positions."""
ALPHABET_SHARE = 4
"""At most one entry in this many may be a single character; most characters need two entries."""

CHECKED_SENTENCES = 1_000
"""Number of training sentences on which a backbone's tokenizer is checked."""


def train_wordpiece(texts: Sequence[str], size: int) -> Tokenizer:
    """Train a tokenizer of about `size` entries; the same texts give the same tokenizer.

    The trainer of `tokenizers` numbers characters in the order of a hash table, which differs between runs, and breaks
    ties by these numbers. Therefore the characters get fixed numbers first, as special tokens of a temporary tokenizer;
    only its vocabulary is used.
    """
    temporary = _tokenizer(WordPiece(unk_token=UNKNOWN))
    at_start, inside = _characters(temporary, texts, limit=size // ALPHABET_SHARE)
    trainer = WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL, *at_start, *(f"##{character}" for character in inside)],
        initial_alphabet=at_start,
        limit_alphabet=len(at_start),
        show_progress=False,
    )
    temporary.train_from_iterator(texts, trainer)
    tokenizer = _tokenizer(WordPiece(temporary.get_vocab(), unk_token=UNKNOWN))
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
    """Return the most frequent characters, and those of them that occur inside words."""
    words: Counter[str] = Counter()
    for text in texts:
        pieces = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        words.update(word for word, _ in pieces)
    counts: Counter[str] = Counter()
    for word, times in words.items():
        counts.update(dict.fromkeys(word, times))
    frequent = sorted(counts, key=lambda character: (-counts[character], character))[:limit]
    seen_inside = {character for word in words for character in word[1:]}
    return frequent, [character for character in frequent if character in seen_inside]


def build_classifier(
    config: TrainingConfig, train: Sequence[Example], progress: Progress | None = None
) -> tuple[RelationClassifier, PreTrainedTokenizerFast]:
    """Create a classifier over the 30 relations and its tokenizer, which has the markers.

    Args:
        config: the recipe.
        train: the texts for the vocabulary of a backbone from scratch.
        progress: receives the progress of a download.

    Raises:
        InvalidConfig, ModelNotFound, ServiceUnreachable, RelexError: the backbone cannot be fetched or read,
            or its tokenizer does not know the words of the training texts.
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
    check_known(tokenizer, [example.sentence for example in train[:CHECKED_SENTENCES]], name)
    return RelationClassifier.from_backbone(name, model_config, tokenizer, progress), tokenizer


def _new_tokenizer(config: TrainingConfig, size: int, train: Sequence[Example]) -> PreTrainedTokenizerFast:
    """Train the tokenizer on marked sentences, so that it also has the plain words of a scheme."""
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
