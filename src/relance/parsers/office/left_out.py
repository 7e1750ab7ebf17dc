"""What a document has and its text has not, counted by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from relance.parsers.office.spec import OfficeSpec

__all__ = ["LeftOut"]

_SHOWN = 5


class LeftOut:
    """Decides whether hidden parts and comments are kept, and counts those that are not."""

    def __init__(self, spec: OfficeSpec) -> None:
        self.spec = spec
        self._hidden: Counter[str] = Counter()
        self._comments = 0
        self._others: Counter[str] = Counter()
        self._also: Counter[str] = Counter()
        self._uncalculated = 0

    def keeps(self, what: str) -> bool:
        """Whether hidden parts are kept; counts one such as `hidden row` if not."""
        if self.spec.hidden == "mark":
            return True
        self._hidden[what] += 1
        return False

    def passage(self, what: str, text: str) -> str:
        """Mark a passage such as `hidden text`, or count it and return nothing."""
        if not text.strip():
            return ""
        if not self.keeps(what):
            return ""
        words = text.strip()
        before, _, after = text.partition(words)
        return f"{before}[{what}: {words}]{after}"

    def passages(self, pieces: Sequence[tuple[str, str]]) -> str:
        """Join pieces of a text, each with what hides it if something does; neighbours are one passage."""
        return "".join(
            self.passage(what, text) if what else text
            for what, group in groupby(pieces, key=itemgetter(1))
            if (text := "".join(piece for piece, _ in group))
        )

    def comment(self, author: str, text: str) -> str:
        """Mark a comment, or count it and return nothing."""
        if self.spec.comments == "mark":
            by = f" by {author}" if author else ""
            return f"[comment{by}: {' '.join(text.split())}]" if text.strip() else ""
        self._comments += 1
        return ""

    def address(self, url: str, shown: str) -> str:
        """Write where a link leads, if that is wanted and not what it shows anyway."""
        url = url.strip()
        wanted = self.spec.addresses == "mark" and ":" in url and url.removeprefix("mailto:") not in shown
        return f" ({url})" if wanted else ""

    def other(self, what: str) -> None:
        """Count what cannot be read at all, such as `embedded object`."""
        self._others[what] += 1

    def also(self, sentence: str) -> None:
        """Say something else that was left out; beyond the first few, such sentences are counted."""
        self._also[sentence] += 1

    def uncalculated(self) -> None:
        """Count a formula whose value the file does not have."""
        self._uncalculated += 1

    def warnings(self, damaged: Sequence[str] = ()) -> tuple[str, ...]:
        """Say all of it, one sentence each."""
        said = [
            f"{_count(n, what)} left out; `hidden: mark` of the parser `office` keeps them"
            for what, n in self._hidden.items()
        ]
        if self._comments:
            comments = _count(self._comments, "comment")
            said.append(f"{comments} left out; `comments: mark` of the parser `office` keeps them")
        said += [f"{_count(n, what)} not read" for what, n in self._others.items()]
        said += [*self._also][:_SHOWN]
        if len(self._also) > _SHOWN:
            said.append(f"{len(self._also) - _SHOWN:,} more of the kind")
        if self._uncalculated:
            formulas = _count(self._uncalculated, "formula")
            said.append(
                f"{formulas} without a stored value, written as in the cell; save the file in a spreadsheet program"
            )
        if damaged:
            more = f" and {len(damaged) - _SHOWN:,} more" if len(damaged) > _SHOWN else ""
            said.append(f"damaged parts without text: {', '.join(damaged[:_SHOWN])}{more}")
        return tuple(said)


def _count(number: int, what: str) -> str:
    if what.endswith("text"):  # `hidden text` is not counted by texts
        return f"{number:,} {'passage' if number == 1 else 'passages'} of {what}"
    return f"{number:,} {what}{'' if number == 1 else 's'}"
