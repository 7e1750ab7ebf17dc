"""What sets groups of texts apart, in their own words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["Term", "distinguishing_terms", "terms_of"]

_HAN = "㐀-鿿豈-﫿"
# A run of Chinese characters, a word in katakana, or a word of any other script; hiragana is mostly grammar.
_RUN = re.compile(rf"[{_HAN}]+|[ァ-ヿ]{{2,}}|[^\W\d_{_HAN}ぁ-ヿ]+(?:['’-][^\W\d_{_HAN}ぁ-ヿ]+)*")
_IS_HAN = re.compile(f"[{_HAN}]")
_LONGEST = 6  # Chinese characters of a term
_SHORTEST = 3  # letters of a word
# No term begins or ends with these: particles, pronouns, conjunctions of Chinese, in both scripts; nor is it a number.
_NOT_FIRST = set("的了是在与與及或也都就而之于於为為亦已被把这這那此该該并並由们們个個着著很更最又以")
_NUMERALS = set("〇零一二三四五六七八九十百千万萬亿億两兩几幾第年月日")
_NOT_LAST = set("的了是在和与與及或也都就而之为為于於被把将將从從对對这這那此该該并並由个個着著又以")
# Words side by side are a term together if they are so by more than chance: in so many texts, measured by the geometric
# mean of the numbers of texts each of them is in.
_TOGETHER = 0.4
# A term that is half as common outside of a group says nothing about it.
_OUTSIDE = 0.5
# Of two terms of which one contains the other, the longer one is kept if it stands for so much of the shorter one.
_STANDS_FOR = 0.6
_SMALL = 5  # texts of a group that need not have a word twice
_LOOKED_AT = 6  # candidates for each term wanted


class Term(NamedTuple):
    """A term of a text: folded for counting, as it is written there, and the words it is put together from."""

    text: str
    written: str
    parts: tuple[str, ...] = ()


def distinguishing_terms(groups: Sequence[Sequence[str]], *, count: int = 8,
                         background: Sequence[str] = ()) -> list[list[str]]:  # fmt: skip
    """Name the terms that set each group of texts apart from the others, best first.

    Class-based TF-IDF (Grootendorst 2022), with texts counted instead of words, so that one long text does not decide:
    the share of the group's texts with the term, times log(1 + A / f), where f is the number of all texts with the
    term and A the mean number of texts of a group. What is as common elsewhere is no term of the group, which drops
    the words that hold any language together without a list of them.

    Args:
        groups: the texts of each group, a few hundred of them are enough.
        count: terms wanted for each; fewer where there are not so many.
        background: texts of no group.
    """
    tokenizer = _tokenizer()
    written: dict[str, Counter[str]] = {}
    parts_of: dict[str, tuple[str, ...]] = {}
    counts: list[Counter[str]] = []
    for texts in [*groups, background]:
        counted: Counter[str] = Counter()
        for text in texts:
            found = {term.text: term for term in terms_of(text, tokenizer)}
            counted.update(found.keys())
            for name, term in found.items():
                written.setdefault(name, Counter())[term.written] += 1
                parts_of[name] = term.parts
        counts.append(counted)
    total = sum(counts, Counter[str]())
    loose = {name for name, parts in parts_of.items() if not _belongs(total[name], [total[part] for part in parts])}
    texts_of = [len(texts) for texts in groups]
    everything, mean = sum(texts_of) + len(background), sum(texts_of) / max(1, len(groups))
    named = []
    for counted, size in zip(counts, texts_of, strict=False):
        scored = {
            term: hits / size * math.log(1 + mean / total[term])
            for term, hits in counted.items()
            if hits >= (1 if size <= _SMALL and not parts_of[term] else 2)
            and term not in loose
            and _is_whole(term)
            and (total[term] - hits) / max(1, everything - size) <= _OUTSIDE * hits / size
        }  # fmt: skip
        best = sorted(scored, key=lambda term: (-scored[term], -len(term), term))[: count * _LOOKED_AT]
        named.append([written[term].most_common(1)[0][0] for term in _apart(best, counted)[:count]])
    return named


def terms_of(text: str, tokenizer: Tokenizer | None = None) -> Iterator[Term]:
    """Yield the terms of a text: words, and words side by side.

    Chinese, which has no blanks, is divided where the tokens of Qwen end, which are mostly words; up to three of them
    are a term together. Of other scripts two words are.
    """
    tokenizer, common, before, end = tokenizer or _tokenizer(), _common(), "", -1
    for match in _RUN.finditer(text):
        run = match.group()
        if _IS_HAN.match(run):
            counted = match.start() > 0 and text[match.start() - 1].isdigit()  # 1949年: a number's unit is no term
            yield from _chinese(run, tokenizer, skip=int(counted))
            before = ""
            continue
        word = run if len(run) >= _SHORTEST and run.casefold() not in common else ""
        if word:
            yield Term(word.casefold(), word)
        if word and before and text[end : match.start()] in {" ", "\n"}:
            both = f"{before} {word}"
            yield Term(both.casefold(), both, (before.casefold(), word.casefold()))
        before, end = word, match.end()


def _chinese(run: str, tokenizer: Tokenizer, *, skip: int) -> Iterator[Term]:
    ends = list(dict.fromkeys([0, *tokenizer.boundaries(run).tolist()]))
    pieces = [run[start:end] for start, end in pairwise(ends)]
    for first in range(skip, len(pieces)):
        yield Term(pieces[first], pieces[first])
        for last in range(first + 2, min(first + 3, len(pieces)) + 1):
            term = "".join(pieces[first:last])
            if len(term) <= _LONGEST and _is_whole(term):
                yield Term(term, term, tuple(pieces[first:last]))


def _is_whole(term: str) -> bool:
    if not _IS_HAN.match(term):
        return True
    return len(term) > 1 and term[0] not in _NOT_FIRST and term[-1] not in _NOT_LAST and not _NUMERALS.issuperset(term)


def _belongs(hits: int, parts: Sequence[int]) -> bool:
    return not parts or hits >= _TOGETHER * math.prod(parts) ** (1 / len(parts))


def _apart(best: list[str], counted: Counter[str]) -> list[str]:
    """Drop terms that say what another says: parts of it that seldom stand alone, rarer longer ones, plurals."""
    kept: list[str] = []
    for at, term in enumerate(best):
        longer = (other for other in best if other != term and term in other)
        if any(counted[other] >= _STANDS_FOR * counted[term] for other in longer):
            continue
        if not any(_akin(term, other) for other in kept if other in best[:at]):
            kept.append(term)
    return kept


def _akin(term: str, other: str) -> bool:
    shorter, longer = sorted((term.replace("-", " "), other.replace("-", " ")), key=len)
    return shorter in longer or (len(shorter) > 4 and longer[: len(shorter) - 1] == shorter[:-1]
                                 and len(longer) - len(shorter) <= 2)  # fmt: skip


def _common() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS


def _tokenizer() -> Tokenizer:
    from relance.embedding.tokenizers import open_tokenizer

    return open_tokenizer("qwen")
