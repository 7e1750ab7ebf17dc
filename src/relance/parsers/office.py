"""DOCX, PPTX, XLSX and EPUB as Markdown."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import ClassVar
from xml.etree import ElementTree as ET

from relance.errors import DocumentError
from relance.parsers.archive import open_archive
from relance.parsers.markdown import first_heading
from relance.parsers.parser import Parsed, Parser, Raw

__all__ = ["Office"]

_SLIDES = re.compile(r"ppt/slides/slide(\d+)\.xml")
_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"
_SHAPE = "{http://schemas.openxmlformats.org/presentationml/2006/main}sp"
_PLACEHOLDER = "{http://schemas.openxmlformats.org/presentationml/2006/main}ph"


class Office(Parser):
    """Office documents and e-books, by kreuzberg."""

    version = "office-1/kreuzberg"
    media_types = ("application/vnd.openxmlformats-officedocument.*", "application/epub+zip")
    refused: ClassVar[Mapping[str, str]] = {
        "application/msword": "no parser for old Word files; save it as .docx",
        "application/vnd.ms-excel": "no parser for old Excel files; save it as .xlsx",
        "application/vnd.ms-powerpoint": "no parser for old PowerPoint files; save it as .pptx",
    }

    def parse(self, raw: Raw) -> Parsed:
        """Extract the text of an office document or an e-book."""
        import kreuzberg

        archive = open_archive(raw.data, raw.uri, max_unpacked=raw.max_unpacked)
        # The cache would write into the working directory; OCR is not ours to start.
        config = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
        config.disable_ocr = True  # ty: ignore[missing-attribute]  # missing in its stubs
        try:
            result = kreuzberg.extract_bytes_sync(raw.data, raw.media_type, config=config)
        except kreuzberg.KreuzbergError as error:
            reason = str(error).splitlines()[0].removeprefix(f"{type(error).__name__}: ")
            raise DocumentError(raw.uri, f"damaged: {reason[:200]}") from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # Rust panics are no Exception
                raise
            raise DocumentError(raw.uri, "damaged: the parser gave up on it") from None
        text = result.content
        if raw.media_type.endswith("presentation"):
            text += _speaker_notes(archive)
        title = str((result.metadata or {}).get("title") or "")
        return Parsed(text, title=first_heading(text) or title, syntax="markdown")


def _speaker_notes(archive: zipfile.ZipFile) -> str:
    """Write the notes below the slides as a section of their own: the library's Markdown leaves them out."""
    notes = []
    for number in sorted(int(found[1]) for name in archive.namelist() if (found := _SLIDES.fullmatch(name))):
        try:
            relations = ET.parse(io.BytesIO(archive.read(f"ppt/slides/_rels/slide{number}.xml.rels")))  # noqa: S314  # expat bounds entity expansion
            target = next(x.get("Target", "") for x in relations.iter() if x.get("Type", "").endswith("/notesSlide"))
            page = ET.parse(io.BytesIO(archive.read(f"ppt/notesSlides/{target.rpartition('/')[2]}")))  # noqa: S314  # as above
        except (KeyError, StopIteration, ET.ParseError):
            continue
        paragraphs = [
            "".join(run.text or "" for run in paragraph.iter(_TEXT)).strip()
            for shape in page.iter(_SHAPE)
            if any(holder.get("type") == "body" for holder in shape.iter(_PLACEHOLDER))
            for paragraph in shape.iter(_PARAGRAPH)
        ]
        if any(paragraphs):
            notes.append(f"### Notes of slide {number}\n\n" + "\n\n".join(filter(None, paragraphs)))
    return "\n\n" + "\n\n".join(notes) + "\n" if notes else ""
