"""Some hosts refuse each address the first time, while they make the picture, however seldom they are asked."""

from __future__ import annotations

__all__ = ["EachOnce"]

# So many pauses in a row after which what came back was good and something new was refused show it. What is refused
# twice is still a pause for all, so a host that was misjudged is not asked faster than it allows.
_ROUNDS = 3
# So many addresses in a row that were good at once show the contrary.
_GOOD = 8


class EachOnce:
    """Finds out whether a host is one of these.

    Attributes:
        found: whether it is.
        pace: requests in a second, 0 for no limit, from before the first pause that seems to be no use.
    """

    __slots__ = ("_came_back", "_good", "_rounds", "found", "pace")

    def __init__(self) -> None:
        """Know nothing yet."""
        self.found, self.pace = False, 0.0
        self._rounds = self._good = 0
        self._came_back = False

    def answered(self, *, again: bool) -> None:
        """Note a good answer; `again`: the address had been refused before."""
        if again:
            self._came_back = True
            return
        self._good += 1
        if self._good >= _GOOD:
            self._rounds = 0

    def refused_again(self) -> None:
        """Note that an address was refused twice: that is about the pace."""
        self._rounds = 0

    def refused(self, pace: float) -> bool:
        """Note that a new address was refused; returns whether that shows it now."""
        if not self._rounds:
            self.pace = pace
        self._rounds += self._came_back or not self._rounds
        self._came_back, self._good = False, 0
        self.found |= self._rounds > _ROUNDS
        return self._rounds > _ROUNDS
