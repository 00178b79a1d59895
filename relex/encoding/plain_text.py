"""Tokenization in which the text of a row never becomes a control token.

A tokenizer reads `[SEP]` or `[/E2-ORG]` as the control token of that name wherever it occurs, so that a sentence could
end early or move its markers. Almost no sentence holds such text, so each is encoded as a whole and checked: if it has
a control token that relex did not insert, it is encoded again in pieces. This module needs no torch.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Encoding, Tokenizer

from relex.encoding.markers import MarkedText, Range
from relex.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The tokens of one marked sentence, with the special tokens of the tokenizer and the type sentence."""

    ids: Sequence[int]
    type_ids: Sequence[int]
    offsets: Sequence[Range]
    """Character range of each token; sorted only inside `sentence`."""
    sentence: range
    """Positions of the sentence's tokens; empty if the tokenizer knows no character of it."""


class PlainTextTokenizer:
    """A tokenizer that finds control tokens only where relex inserted them.

    Args:
        backend: a tokenizer without truncation and padding.
        markers: the scheme's marker tokens.
        unknown: the token of words that the vocabulary lacks, which is not a control token.
    """

    def __init__(self, backend: Tokenizer, markers: Sequence[str], unknown: str | None) -> None:
        self._backend = backend
        added = backend.get_added_tokens_decoder()
        special = {number for number, token in added.items() if token.special}
        self._left_stripping = {token.content for token in added.values() if token.lstrip}
        self._unknown = unknown
        number = None if unknown is None else backend.token_to_id(unknown)
        self._controls = frozenset({*special, *map(backend.token_to_id, markers)} - {number, None})
        self._candidates = self._controls | {number}

    def encode_batch(self, texts: Sequence[MarkedText]) -> Iterator[EncodedText]:
        """Encode marked sentences in the given order, with one call of the tokenizer for all."""
        encodings = self._backend.encode_batch([(text.text, text.pair) if text.pair else text.text for text in texts])
        for text, encoding in zip(texts, encodings, strict=True):
            encoded = _encoded(encoding)
            yield encoded if self._is_faithful(encoding, encoded, text) else self._in_pieces(text)

    def _is_faithful(self, encoding: Encoding, encoded: EncodedText, text: MarkedText) -> bool:
        """Return whether the control tokens are exactly those that relex inserted."""
        places = [place for place, number in enumerate(encoded.ids) if number in self._candidates]
        inside, pair_controls = [], 0
        for place in places:
            if place in encoded.sentence:
                start, end = encoded.offsets[place]
                if encoded.ids[place] in self._controls or text.text[start:end] == self._unknown:
                    inside.append((start, end))
            elif encoding.token_to_sequence(place) == 1:
                start, end = encoded.offsets[place]
                pair_controls += encoded.ids[place] in self._controls or str(text.pair)[start:end] == self._unknown
        # The token of a mask may include an adjacent space.
        return (len(inside), pair_controls) == (len(text.controls), text.pair_controls) and all(
            start <= first and last <= end for (start, end), (first, last) in zip(inside, text.controls, strict=True)
        )

    def _in_pieces(self, text: MarkedText) -> EncodedText:
        """Encode control tokens and the text between them separately, and join them as the tokenizer does."""
        parts: list[tuple[int, Encoding]] = []
        end = 0
        for start, stop in map(self._with_space(text.text), text.controls):
            parts += self._plain(text.text[end:start], end)
            parts.append((start, self._backend.encode(text.text[start:stop], add_special_tokens=False)))
            end = stop
        parts += self._plain(text.text[end:], end)
        shifts = [shift for shift, part in parts for _ in part.ids]
        joined = self._backend.post_process(_merged(parts), self._pair(text), add_special_tokens=True)
        # `post_process` loses the sequence of each token, but marks the special tokens that it adds.
        first = joined.special_tokens_mask.index(0) if shifts else 0
        offsets = joined.offsets
        for place, shift in enumerate(shifts, first):
            start, end = offsets[place]
            offsets[place] = start + shift, end + shift
        return EncodedText(joined.ids, joined.type_ids, offsets, range(first, first + len(shifts)))

    def _with_space(self, text: str) -> Callable[[Range], Range]:
        """Return a function that extends a control token's range by the spaces before it that the token takes."""

        def extended(control: Range) -> Range:
            start, end = control
            before = text[:start].rstrip() if text[start:end] in self._left_stripping else text[:start]
            return len(before), end

        return extended

    def _pair(self, text: MarkedText) -> Encoding | None:
        if text.pair is None:
            return None
        if text.pair_controls:  # masks replace the entities' words, so the sentence holds no text of the row
            return self._backend.encode(text.pair, add_special_tokens=False)
        return _merged([*self._plain(text.pair, 0)])

    def _plain(self, text: str, shift: int) -> Iterator[tuple[int, Encoding]]:
        """Encode text without control tokens, as pieces with their start positions.

        A vocabulary may also hold its control tokens as ordinary entries (Unigram): text that still becomes one is cut
        inside it. A control token of a single character is left out.
        """
        tokenizer = self._textual_inside if shift else self._textual
        encoding = tokenizer.encode(text, add_special_tokens=False)
        offsets = encoding.offsets
        forged = [offsets[place] for place, number in enumerate(encoding.ids) if number in self._controls]
        if not forged:
            yield shift, encoding
            return
        pieces, begin = [], 0
        for start, end in forged:
            alone = end - start < 2  # noqa: PLR2004 - a single character cannot be cut
            pieces.append((begin, start if alone else start + 1))
            begin = end if alone else start + 1
        for start, end in [*pieces, (begin, len(text))]:
            if start < end:
                yield from self._plain(text[start:end], shift + start)

    @cached_property
    def _textual(self) -> Tokenizer:
        """A copy of the tokenizer that reads special tokens as text; made only when it is needed."""
        copy = Tokenizer.from_str(self._backend.to_str())
        copy.encode_special_tokens = True
        return copy

    @cached_property
    def _textual_inside(self) -> Tokenizer:
        """A copy of `_textual` for pieces inside a text, which start no word unless every part of a text does."""
        copy = Tokenizer.from_str(self._textual.to_str())
        copy.encode_special_tokens = True
        set_word_start(copy, "first", "never")
        return copy


def set_word_start(tokenizer: Tokenizer, old: str, new: str) -> None:
    """Replace SentencePiece's rule about which parts of a text start a word: always, first, or never."""

    def replaced(state: Any) -> Any:
        if isinstance(state, list):
            return [replaced(item) for item in state]
        if not isinstance(state, dict):
            return state
        changed = {"prepend_scheme": new} if state.get("prepend_scheme") == old else {}
        return {key: replaced(value) for key, value in state.items()} | changed

    if tokenizer.pre_tokenizer is not None:
        pre_tokenizer = tokenizer.pre_tokenizer
        pre_tokenizer.__setstate__(json.dumps(replaced(json.loads(pre_tokenizer.__getstate__()))).encode())
        tokenizer.pre_tokenizer = pre_tokenizer


def _merged(parts: Sequence[tuple[int, Encoding]]) -> Encoding:
    return Encoding.merge([part for _, part in parts], growing_offsets=False)


def _encoded(encoding: Encoding) -> EncodedText:
    sequences = encoding.sequence_ids
    start = sequences.index(0) if 0 in sequences else 0
    return EncodedText(encoding.ids, encoding.type_ids, encoding.offsets, range(start, start + sequences.count(0)))


def token_counts(tokenizer_file: Path, texts: Sequence[str]) -> list[int]:
    """Count the tokens of each text, special tokens included, without markers.

    Raises:
        InvalidInput: the file is not a tokenizer.json.
    """
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:  # the library raises Exception itself
        raise InvalidInput(f"{tokenizer_file}: not a tokenizer.json: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # text that looks like a special token is text
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]
