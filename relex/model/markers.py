"""The markers of an input scheme in a tokenizer, and their embeddings in a backbone."""

import torch
from tokenizers import AddedToken
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from relex.encoding.markers import Scheme, is_closing, marker_tokens
from relex.encoding.plain_text import set_word_start


def add_markers(tokenizer: PreTrainedTokenizerFast, scheme: Scheme) -> None:
    """Add the scheme's markers, so that the words beside them are split as in text without markers.

    An opening marker takes the space before it, and so does the mask that replaces an entity's words; the space after
    the marker, which `mark` writes, starts the entity's word. A closing marker takes no space: the particle after it
    continues a word. SentencePiece vocabularies start a word at the beginning of a text; after a marker they must not.
    """
    masks = [tokenizer.mask_token] if tokenizer.mask_token else []
    tokens = [
        AddedToken(token, normalized=False, special=True, lstrip=not is_closing(token))
        for token in (*marker_tokens(scheme), *masks)
    ]
    tokenizer.add_tokens(tokens, special_tokens=True)
    set_word_start(tokenizer.backend_tokenizer, "always", "first")


def add_embedded_markers(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, scheme: Scheme) -> None:
    """Add the scheme's markers to a backbone and its tokenizer.

    The embedding of a new marker is drawn with the mean and the deviation of the vocabulary's embeddings.
    """
    vocabulary = tokenizer.get_vocab()
    add_markers(tokenizer, scheme)
    rows = backbone.resize_token_embeddings().num_embeddings
    table = backbone.resize_token_embeddings(max(rows, len(tokenizer)), mean_resizing=False).weight.data
    ids = tokenizer.get_vocab()
    new = [ids[token] for token in marker_tokens(scheme) if token not in vocabulary or ids[token] >= rows]
    old = table[: min(rows, len(vocabulary))]
    table[new] = torch.normal(old.mean(0).expand(len(new), -1), old.std(0).expand(len(new), -1))
