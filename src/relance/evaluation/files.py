"""Where the result of an evaluation is written: a page, and pictures. What is wrong with a path is told beforehand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from relance.errors import ConfigurationError, MissingExtraError
from relance.evaluation.compare import numbered

if TYPE_CHECKING:
    from relance.evaluation.compare import Comparison
    from relance.evaluation.dimensions import TradeOff

__all__ = ["Files"]


@dataclass(slots=True, frozen=True)
class Files:
    """The paths to write to.

    Attributes:
        html: of the page.
        png: of the picture; curves of shorter vectors go beside it, with the index in their names.
    """

    html: Path | None = None
    png: Path | None = None

    def check(self) -> None:
        """Raise ConfigurationError for a path that cannot be written to, or that is another kind of file."""
        for path, suffixes in ((self.html, (".html", ".htm")), (self.png, (".png",))):
            if path and (wrong := _wrong(path, suffixes)):
                msg = f"{path}: {wrong}"
                raise ConfigurationError(msg)
        if (self.html or self.png) and find_spec("matplotlib") is None:
            raise MissingExtraError("a picture", "analysis")

    def write(self, comparison: Comparison, curves: Sequence[TradeOff], *, title: str) -> None:
        """Write what was asked for."""
        from relance.evaluation.page import evaluation_page
        from relance.evaluation.plot import comparison_png, trade_off_png

        if self.html:
            self.html.write_text(evaluation_page(comparison, curves, title=title), encoding="utf-8")
        if self.png:
            self.png.write_bytes(comparison_png(comparison, title=title))
            for path, curve in zip(self._beside(curves), curves, strict=True):
                path.write_bytes(trade_off_png(curve))

    def _beside(self, curves: Sequence[TradeOff]) -> Iterator[Path]:
        png = self.png or Path()
        for name in numbered([curve.index for curve in curves], "{}-{}"):
            yield png.with_name(f"{png.stem}-{name}{png.suffix}")


def _wrong(path: Path, suffixes: tuple[str, ...]) -> str:
    """Say why a path cannot be written to; empty where it can."""
    if path.is_dir():
        return f"is a folder; name a file in it, such as {path / f'quality{suffixes[0]}'}"
    if path.suffix.lower() not in suffixes:
        return f"is written as {suffixes[0]}; name it so, and no other file is overwritten"
    if not path.absolute().parent.is_dir():
        return "its folder is not there"
    writable = os.access(path if path.exists() else path.absolute().parent, os.W_OK)
    return "" if writable else "may not be written to"
