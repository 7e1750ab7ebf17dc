"""Turn water levels into flow with a station's rating curve.

A rating curve says how much water passes at a level. It is measured by hand, from a boat, some ten times a year, and
is written as pieces of `q = a * (h - h0) ** b`. Reviewed by the hydrology desk; change nothing here without them.
"""

from __future__ import annotations

from dataclasses import dataclass

# A curve may be followed this far above the highest measured level, as a share of that level's height over h0.
EXTRAPOLATION = 0.15


@dataclass(frozen=True)
class Piece:
    """One piece of a rating curve, valid from `from_m` (inclusive) up to `to_m` (exclusive)."""

    from_m: float
    to_m: float
    a: float
    b: float
    h0_m: float

    def flow_m3s(self, level_m: float) -> float:
        """Return the flow in cubic metres a second; zero below the level at which the river stops."""
        depth = level_m - self.h0_m
        return self.a * depth**self.b if depth > 0 else 0.0


class RatingCurve:
    """The pieces of one station, lowest first, without gaps."""

    def __init__(self, pieces: list[Piece]) -> None:
        for below, above in zip(pieces, pieces[1:]):
            if below.to_m != above.from_m:
                raise ValueError(f"gap in the rating curve between {below.to_m} m and {above.from_m} m")
        self.pieces = pieces

    def flow_m3s(self, level_m: float) -> float | None:
        """Return the flow, or None where nobody has measured and a guess would be a lie."""
        for piece in self.pieces:
            if piece.from_m <= level_m < piece.to_m:
                return piece.flow_m3s(level_m)
        top = self.pieces[-1]
        if top.to_m <= level_m <= top.to_m + EXTRAPOLATION * (top.to_m - top.h0_m):
            return top.flow_m3s(level_m)
        return None


def hysteresis_corrected(flow_m3s: float, rise_m_per_h: float, slope: float, celerity_m_s: float) -> float:
    """Correct for the looped rating during a flood wave (Jones' formula).

    A rising river carries more water at the same level than a falling one, because its surface is steeper.
    """
    rise_m_s = rise_m_per_h / 3600
    factor = 1 + rise_m_s / (slope * celerity_m_s)
    return flow_m3s * max(factor, 0.0) ** 0.5
