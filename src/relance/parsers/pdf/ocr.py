"""Reads pictures of pages: an extra (RapidOCR with the PP-OCR models its wheel ships; English, Chinese and more)."""

from __future__ import annotations

from functools import cache
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING, Any

from relance.errors import MissingExtraError
from relance.parsers.decoding import clean
from relance.parsers.pdf.lines import Line

if TYPE_CHECKING:
    import numpy as np
    from pypdfium2 import PdfPage

__all__ = ["open_ocr", "picture_of", "read_picture"]

# At 150 dots an inch an A4 page is 1,240 × 1,754, on which text of 8 points is read.
_DOTS = 150
_LONGEST_SIDE = 1_800
# Lines are looked for on a smaller picture, and read on one core, two at a time: 2.4 CPU-s a page and 500 MB instead
# of 6 and 800, and the same text on two pages of a manual and a thesis.
_SETTINGS = {
    "Global.log_level": "error",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "Det.limit_type": "max",
    "Det.limit_side_len": 1_280,
    "Rec.rec_batch_num": 2,
}
_SURE = 0.5
_ONE = Lock()


@cache
def open_ocr() -> Any:
    """Load the models, once a process: 4 s; raises MissingExtraError without the extra."""
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise MissingExtraError("Reading scanned pages", "ocr") from error
    return RapidOCR(params=_SETTINGS)


def picture_of(page: PdfPage) -> tuple[np.ndarray, float]:
    """Draw a page; returns its pixels and how many there are to a point."""
    width, height = page.get_size()
    scale = min(_DOTS / 72, _LONGEST_SIDE / max(width, height, 1))
    bitmap = page.render(scale=scale)
    try:
        return bitmap.to_numpy().copy(), scale
    finally:
        bitmap.close()


def read_picture(pixels: np.ndarray, scale: float) -> list[Line]:
    """Read the lines of a picture, in its order; those that are hardly more than a guess are left out."""
    with _ONE:
        found = open_ocr()(pixels)
    if found.txts is None:
        return []
    height = pixels.shape[0]
    lines = []
    for corners, text, score in zip(found.boxes.tolist(), found.txts, found.scores, strict=True):
        said = clean(text).strip()
        if score < _SURE or not said:
            continue
        left, right = (side(x for x, _ in corners) / scale for side in (min, max))
        top, bottom = ((height - side(y for _, y in corners)) / scale for side in (min, max))
        lines.append(Line(said, 0, 0, left, bottom, right, top, bottom + 0.2 * (top - bottom), 0.75 * (top - bottom)))
    size = median(line.size for line in lines) if lines else 0.0
    for line in lines:  # what is measured of a picture is not exact enough to tell headings
        line.size = size
    return lines
