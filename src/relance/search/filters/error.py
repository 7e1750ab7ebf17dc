"""What is wrong with a condition, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relance.errors import InputError

__all__ = ["FilterError"]

_SHOWN = 100  # characters of a long filter around the place


class FilterError(InputError):
    """A condition that this table cannot be asked.

    Attributes:
        at: position in the filter's text where that is known.
    """

    def __init__(self, message: str, text: str = "", at: int | None = None) -> None:
        self.at = at
        super().__init__(f"{message}\n{_pointed(text, at)}" if at is not None else message)

    @classmethod
    def of_lancedb(cls, what: str, error: Exception, columns: Sequence[str]) -> FilterError:
        """Tell what LanceDB says of a condition; `what` begins the sentence, such as "the filter"."""
        # LanceDB names the place in its own source, too, and the columns, which we do better.
        said = re.sub(r"\.? Valid fields are.*|, /\S*\.rs:.*", "", (str(error).splitlines() or ["?"])[0])
        said = re.sub(r"Error parsing statement: .*\(sql parser error: (.*)\)", r"\1", said)[:200]
        return cls(f"{what} is not understood: {said}; columns: {', '.join(columns)}")


def _pointed(text: str, at: int) -> str:
    """Show the text with a caret below a position."""
    start = max(0, at - _SHOWN // 2)
    line = "".join(letter if letter.isprintable() else " " for letter in text[start : start + _SHOWN])
    return f"  {line}\n  {' ' * _width(line[: at - start])}^"


def _width(text: str) -> int:
    """Count the columns a terminal gives a text: Chinese letters take two."""
    from rich.cells import cell_len

    return cell_len(text)
