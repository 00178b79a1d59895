"""From marked sentences to token ids, with each entity's own tokens and a window that never loses an entity.

Token ranges follow from the tokenizer's character offsets of places that `markers` knows by construction.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from tokenizers import Encoding
from transformers import PreTrainedTokenizerFast

from relex.encoding.markers import MarkedText, Range, Scheme, mark
from relex.encoding.window import FarApart, apart, moved, window
from relex.errors import InvalidInput
from relex.examples import Example


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """One example as tokens; ranges and markers count positions in `input_ids`, special tokens included."""

    row_no: int
    input_ids: tuple[int, ...]
    token_type_ids: tuple[int, ...]
    """As the tokenizer numbers its two texts; a backbone with one segment is not shown them."""
    subject: Range
    """The subject's own tokens, at least one."""
    object: Range
    """The object's own tokens, at least one."""
    subject_marker: int
    """The subject's opening marker, or its first token where the scheme has none."""
    object_marker: int
    """The object's opening marker, or its first token where the scheme has none."""
    window_cut: bool


class Encoder:
    """Examples to tokens for one tokenizer and one input scheme: the same for training and for scoring.

    The tokenizer must know the scheme's marker tokens already and keeps neither truncation nor padding of its
    own. An input longer than `max_length` tokens keeps its special tokens, its type sentence, both entities
    with their markers, and the words nearest to them; see :func:`relex.encoding.window.window`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        scheme: Scheme,
        type_sentence: bool,
        max_length: int,
        far_apart: FarApart = FarApart.CUT,
    ) -> None:
        self.tokenizer = tokenizer
        self._scheme = scheme
        self._type_sentence = type_sentence
        self._max_length = max_length
        self._far_apart = far_apart
        self._backend = tokenizer.backend_tokenizer
        # Files of some backbones ask for these; they would cut entities and make a result depend on neighbours.
        self._backend.no_truncation()
        self._backend.no_padding()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """The examples as tokens, in the given order; one tokenizer call for all of them.

        Raises:
            InvalidInput: naming the first example whose entities overlap, vanish in the tokenizer, are too long
                for the window, or too far apart where that is refused; and how many more there are.
        """
        marked = [mark(example, self._scheme, self._type_sentence) for example in examples]
        texts = [(item.text, item.pair) if item.pair else item.text for item in marked]
        encodings = self._backend.encode_batch(texts)
        encoded, faults = [], []
        for item in zip(examples, marked, encodings, strict=True):
            try:
                encoded.append(self._encoded(*item))
            except InvalidInput as fault:
                faults.append(str(fault))
        if faults:
            more = f" ({len(faults) - 1:,} more of {len(examples):,} rows cannot be read)" if faults[1:] else ""
            raise InvalidInput(f"{faults[0]}{more}")
        return encoded

    def _encoded(self, example: Example, marked: MarkedText, encoding: Encoding) -> EncodedExample:
        text = _text(encoding)
        places = [marked.subject, marked.object, marked.subject_block, marked.object_block]
        subject, object_, subject_block, object_block = _token_ranges(encoding, text, places)
        if min(subject[1] - subject[0], object_[1] - object_[0]) < 1:
            raise InvalidInput(f"id {example.id}: an entity has no character that the tokenizer keeps; mark words")
        kept = self._kept(example, text, len(encoding), sorted((subject_block, object_block)))
        ids, type_ids = encoding.ids, encoding.type_ids
        return EncodedExample(
            row_no=example.row_no,
            input_ids=tuple(ids[index] for index in kept),
            token_type_ids=tuple(type_ids[index] for index in kept),
            subject=moved(subject, kept),
            object=moved(object_, kept),
            subject_marker=bisect_left(kept, subject_block[0]),
            object_marker=bisect_left(kept, object_block[0]),
            window_cut=len(kept) < len(ids),
        )

    def _kept(self, example: Example, text: range, length: int, blocks: list[Range]) -> Sequence[int]:
        """Which of the `length` tokens the model reads, in order."""
        surplus = length - self._max_length
        if surplus <= 0:
            return range(length)
        room = len(text) - surplus
        needed = sum(end - start for start, end in blocks)
        if needed > room:
            raise InvalidInput(
                f"id {example.id}: its entities take {needed} tokens, the window has room for {max(room, 0)}; "
                "mark shorter entities or use a model with a larger max_length"
            )
        if self._far_apart is FarApart.REFUSE and apart(blocks, room):
            raise InvalidInput(
                f"id {example.id}: its entities and all between them take {blocks[1][1] - blocks[0][0]} tokens, the "
                f"window has room for {room}; leave the row out, or use a model with a larger max_length or one that "
                "was trained with input.far_apart: cut"
            )
        return [*range(text.start), *window(text, blocks, room), *range(text.stop, length)]


def _text(encoding: Encoding) -> range:
    """The tokens of the marked sentence, without the special tokens round it and without the type sentence.

    None, where there are no markers and the tokenizer knows no character of it.
    """
    sequences = encoding.sequence_ids
    start = sequences.index(0) if 0 in sequences else 0
    return range(start, start + sequences.count(0))


def _token_ranges(encoding: Encoding, text: range, places: list[Range]) -> list[Range]:
    """The tokens that share a character with each place; offsets rise only inside `text`."""
    offsets = encoding.offsets
    return [
        (
            bisect_right(offsets, start, text.start, text.stop, key=itemgetter(1)),
            bisect_left(offsets, end, text.start, text.stop, key=itemgetter(0)),
        )
        for start, end in places
    ]
