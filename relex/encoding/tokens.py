"""From marked sentences to token ids, with the token ranges of both entities and truncation that keeps them.

Token ranges are computed from the character ranges of `markers` and the tokenizer's offsets.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from transformers import PreTrainedTokenizerFast

from relex.domain.examples import CANNOT_BE_SCORED, Example, RowError
from relex.encoding.markers import MarkedText, Range, Scheme, mark, marker_tokens
from relex.encoding.plain_text import EncodedText, PlainTextTokenizer
from relex.encoding.windows import Overflow, exceeds, range_after_cut, window
from relex.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """One example as tokens; ranges and markers count positions in `input_ids`, special tokens included."""

    row_no: int
    input_ids: tuple[int, ...]
    token_type_ids: tuple[int, ...]
    """The tokenizer's segment ids; a backbone with one segment does not get them."""
    subject: Range
    """The subject's own tokens, at least one."""
    object: Range
    """The object's own tokens, at least one."""
    subject_marker: int
    """Position of the subject's opening marker, or of its first token if the scheme has no markers."""
    object_marker: int
    """Position of the object's opening marker, or of its first token if the scheme has no markers."""
    truncated: bool
    """Whether the sentence lost words because it was longer than the window."""


class Encoder:
    """An encoder of examples for one tokenizer and one input scheme, used in training and in scoring.

    The tokenizer must have the scheme's marker tokens; its own truncation and padding are switched off. An input
    longer than `max_length` tokens keeps its special tokens, its type sentence, both entities with their markers, and
    the words nearest to them; see :func:`relex.encoding.windows.window`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        scheme: Scheme,
        type_sentence: bool,
        max_length: int,
        on_overflow: Overflow = Overflow.TRUNCATE,
    ) -> None:
        self.tokenizer = tokenizer
        self._scheme = scheme
        self._type_sentence = type_sentence
        self._max_length = max_length
        self._on_overflow = on_overflow
        backend = tokenizer.backend_tokenizer
        # Some backbones' files switch these on; they would cut entities and make results depend on neighbors.
        backend.no_truncation()
        backend.no_padding()
        self._plain_text = PlainTextTokenizer(backend, marker_tokens(scheme), tokenizer.unk_token)

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Encode examples in the given order; one tokenizer call for all of them.

        Raises:
            InvalidInput: naming the first example that `encode_valid` returns an error for, and how many more there
                are.
        """
        return self._all_valid(examples)

    def encode_masked(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Encode examples with the mask token, which the tokenizer must have, in place of both entities' words.

        Raises:
            InvalidInput: as `encode`.
        """
        return self._all_valid(examples, self.tokenizer.mask_token)

    def encode_valid(self, examples: Sequence[Example]) -> tuple[list[EncodedExample], list[RowError]]:
        """Encode the valid examples in the given order, and return row errors for the others.

        A row error means that the entities overlap, have no tokens, are too long for the window, or too far apart if
        the overflow is rejected.
        """
        return self._encode(examples)

    def _all_valid(self, examples: Sequence[Example], mask: str | None = None) -> list[EncodedExample]:
        encoded, errors = self._encode(examples, mask)
        if errors:
            ids = {example.row_no: example.id for example in examples}
            more = f" ({len(errors) - 1:,} more of {len(examples):,} rows cannot be encoded)" if errors[1:] else ""
            raise InvalidInput(f"id {ids[errors[0].row_no]}: {errors[0].message}{more}")
        return encoded

    def _encode(
        self, examples: Sequence[Example], mask: str | None = None
    ) -> tuple[list[EncodedExample], list[RowError]]:
        marked: list[tuple[Example, MarkedText]] = []
        encoded: list[EncodedExample] = []
        errors: list[RowError] = []
        for example in examples:
            try:
                marked.append((example, mark(example, self._scheme, self._type_sentence, mask)))
            except InvalidInput as error:
                errors.append(RowError(example.row_no, CANNOT_BE_SCORED, str(error)))
        texts = self._plain_text.encode_batch([text for _, text in marked])
        for (example, text), tokens in zip(marked, texts, strict=True):
            try:
                encoded.append(self._encoded(example, text, tokens))
            except InvalidInput as error:
                errors.append(RowError(example.row_no, CANNOT_BE_SCORED, str(error)))
        return encoded, errors

    def _encoded(self, example: Example, marked: MarkedText, encoded: EncodedText) -> EncodedExample:
        places = [marked.subject, marked.object, marked.subject_block, marked.object_block]
        subject, object_, subject_block, object_block = _token_ranges(encoded, places)
        if min(subject[1] - subject[0], object_[1] - object_[0]) < 1:
            raise InvalidInput("an entity has no character that the tokenizer keeps; mark words")
        ids, type_ids = encoded.ids, encoded.type_ids
        positions = self._window(encoded.sentence, len(ids), sorted((subject_block, object_block)))
        return EncodedExample(
            row_no=example.row_no,
            input_ids=tuple(ids[index] for index in positions),
            token_type_ids=tuple(type_ids[index] for index in positions),
            subject=range_after_cut(subject, positions),
            object=range_after_cut(object_, positions),
            subject_marker=bisect_left(positions, subject_block[0]),
            object_marker=bisect_left(positions, object_block[0]),
            truncated=len(positions) < len(ids),
        )

    def _window(self, text: range, length: int, blocks: list[Range]) -> Sequence[int]:
        """Return the positions of those of the `length` tokens that the model reads, in order."""
        surplus = length - self._max_length
        if surplus <= 0:
            return range(length)
        room = len(text) - surplus
        needed = sum(end - start for start, end in blocks)
        if needed > room:
            raise InvalidInput(
                f"its entities take {needed} tokens, the window has room for {max(room, 0)}; "
                "mark shorter entities or use a model with a larger max_length"
            )
        if self._on_overflow is Overflow.REJECT and exceeds(blocks, room):
            raise InvalidInput(
                f"its entities and all between them take {blocks[1][1] - blocks[0][0]} tokens, the "
                f"window has room for {room}; leave the row out, or use a model with a larger max_length or one that "
                "was trained with input.on_overflow: truncate"
            )
        return [*range(text.start), *window(text, blocks, room), *range(text.stop, length)]


def _token_ranges(encoded: EncodedText, places: list[Range]) -> list[Range]:
    """Return the range of tokens that overlap each character range; offsets are sorted only in the sentence."""
    offsets, text = encoded.offsets, encoded.sentence
    return [
        (
            bisect_right(offsets, start, text.start, text.stop, key=itemgetter(1)),
            bisect_left(offsets, end, text.start, text.stop, key=itemgetter(0)),
        )
        for start, end in places
    ]
