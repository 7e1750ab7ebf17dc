"""How often a host is asked, found out from what it answers until it refuses."""

from __future__ import annotations

__all__ = ["Pace"]

# After so many seconds without a refusal the pace grows by a tenth: at a fixed limit that is a refusal in 300.
_CALM_S = 30.0
_FASTER = 1.1
_SLOWEST = 0.1
# Hosts count in whole seconds, so what is beyond them is ours (connecting, decoding): for 200 pictures at 10 a second,
# on virtual time, the slowest of 40 beginnings took 31 s when it was counted, and takes 21 s. A pace of exactly the
# limit would be refused as soon as one request is late.
_CAUTION = 0.97


class Pace:
    """The pace of one host; times are seconds of one clock.

    Attributes:
        per_second: requests that may begin in a second; 0 while no limit is known.
    """

    __slots__ = ("_answers", "_fastest", "_since", "per_second")

    def __init__(self, fastest: float, now: float) -> None:
        """Begin with what the spec allows; 0 where it says nothing."""
        self.per_second = self._fastest = fastest
        # What was answered since the last change of pace.
        self._answers, self._since = 0, now

    def answered(self, now: float) -> None:
        """Note an answer; after a while without refusals, be a little faster."""
        self._answers += 1
        if self.per_second and self.per_second != self._fastest and now - self._since > _CALM_S:
            faster = self.per_second * _FASTER
            self.per_second = min(faster, self._fastest) if self._fastest else faster
            self._since, self._answers = now, 0

    def slow_down(self, now: float) -> None:
        """Ask as often as the host has answered since the last change, the pause that ends now included."""
        if self._answers:
            measured = _CAUTION * self._answers / max(1.0, (now - self._since) // 1)
            slower = min(measured, 0.9 * self.per_second) if self.per_second else measured
        else:
            slower = self.per_second / 2
        if slower:
            self.per_second = max(slower, min(self.per_second or _SLOWEST, _SLOWEST))
        self._since, self._answers = now, 0
