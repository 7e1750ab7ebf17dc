"""Jupyter notebooks: their text, code and what it printed, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import clean, decode
from relance.parsers.markdown import first_heading, readable
from relance.parsers.markup.page import Page
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import markdown_references

__all__ = ["Notebook"]

# What a cell printed is kept up to its first lines and characters: a log is no document.
_LINES, _CHARACTERS = 40, 4_000
_MAGIC = re.compile(
    r"%%(?P<name>bash|sh|html|javascript|js|latex|perl|ruby|R|sql|writefile|markdown|svg)\b.*", re.DOTALL
)
_ATTACHED = re.compile(r"!\[(?P<alt>[^\[\]\n]{0,1000})\]\(attachment:[^()\n]{0,500}\)")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Notebook(Parser):
    """Notebooks of format 3 and 4: Markdown as it is, code fenced, the beginning of what it printed."""

    version = "notebook-1"
    media_types = ("application/x-ipynb+json",)
    isolated = media_types
    media_marks = re.compile(rb"!\[|<(?:img|video)\b|image/(?:png|jpeg|gif|webp)", re.IGNORECASE)

    def parse(self, raw: Raw) -> Parsed:
        """Write the cells as Markdown."""
        notebook = _load(raw)
        page = Page()
        language = _language(notebook)
        cut = 0
        for cell in _cells(notebook, raw.uri):
            kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input", "")))
            if kind == "code":
                magic = _MAGIC.match(source.lstrip())
                page.code(source.split("\n"), magic["name"].lower() if magic else str(cell.get("language") or language))
                for printed in _printed(cell):
                    lines = clean(printed[:_CHARACTERS]).split("\n")
                    page.code(lines[:_LINES], "text")
                    cut += len(printed) > _CHARACTERS or len(lines) > _LINES
            elif kind == "heading":
                page.heading(cell["level"] if isinstance(cell.get("level"), int) else 1, source)
            elif kind == "raw":
                page.code(source.split("\n"))
            else:
                page.markdown(readable(_ATTACHED.sub(r"\g<alt>", clean(source))))
        if cut:
            page.warnings.append(f"what {cut:,} of its cells printed is shortened to {_LINES} lines")
        title = _metadata(notebook).get("title")
        return Parsed(
            page.text,
            title if isinstance(title, str) and title.strip() else first_heading(page.text),
            "markdown",
            _facts(notebook, language),
            warnings=tuple(page.warnings),
        )

    def references(self, raw: Raw) -> list[Reference]:
        """List what its Markdown shows, and the pictures that its code drew."""
        parts, drawn = [], {}
        for cell in _cells(_load(raw), raw.uri):
            if cell.get("cell_type") == "code":
                for number, (media_type, data) in enumerate(_drawn(cell), len(drawn)):
                    drawn[f"output-{number}"] = f"data:{media_type};base64,{data}"
                    parts.append(f"![](output-{number})")
            else:
                parts.append(_joined(cell.get("source", "")))
        found = markdown_references("\n\n".join(parts), raw.uri)
        kept = [
            replace(each, url=drawn.get(each.url, each.url)) for each in found if not each.url.startswith("attachment:")
        ]
        return list({each.url: each for each in reversed(kept)}.values())[::-1]


def _load(raw: Raw) -> dict[str, Any]:
    try:
        notebook = json.loads(decode(raw.data, raw.uri))
    except (ValueError, RecursionError) as error:
        raise DocumentError(raw.uri, f"no notebook: {error}") from None
    if not isinstance(notebook, dict):
        raise DocumentError(raw.uri, "no notebook: it holds no cells")
    return notebook


def _cells(notebook: dict[str, Any], uri: str) -> Iterator[dict[str, Any]]:
    sheets = notebook.get("worksheets")
    groups = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)] if isinstance(sheets, list) else []
    groups = [notebook["cells"]] if "cells" in notebook else groups
    if not groups:
        raise DocumentError(uri, "no notebook: it holds no cells")
    for group in groups:
        yield from (cell for cell in group or [] if isinstance(cell, dict))


def _joined(source: Any) -> str:
    """Join a text that is written as one or as lines."""
    return "".join(each for each in source if isinstance(each, str)) if isinstance(source, list | str) else ""


def _outputs(cell: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each output and what it holds by media type."""
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            data = output.get("data", {"text/plain": output.get("text"), "image/png": output.get("png")})
            yield output, data if isinstance(data, dict) else {}


def _printed(cell: dict[str, Any]) -> Iterator[str]:
    for output, data in _outputs(cell):
        if output.get("output_type") in {"error", "pyerr"}:
            text = f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"
        else:
            text = _joined(output.get("text") or data.get("text/markdown") or data.get("text/plain") or "")
        drawn = any(media_type in data and data[media_type] for media_type in _PICTURES)
        if text.strip() and not (drawn and text.startswith("<")):  # `<Figure size 640x480 with 1 Axes>`
            yield text


def _drawn(cell: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for _, data in _outputs(cell):
        for media_type in _PICTURES:
            if encoded := "".join(_joined(data.get(media_type)).split()):
                yield media_type, encoded
                break


def _metadata(notebook: dict[str, Any]) -> dict[str, Any]:
    found = notebook.get("metadata")
    return found if isinstance(found, dict) else {}


def _named(notebook: dict[str, Any], section: str, name: str) -> str:
    found = _metadata(notebook).get(section)
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _language(notebook: dict[str, Any]) -> str:
    return _named(notebook, "language_info", "name") or _named(notebook, "kernelspec", "language") or "python"


def _facts(notebook: dict[str, Any], language: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"programming_language": language, "kernel": _named(notebook, "kernelspec", "display_name")}
    authors = _metadata(notebook).get("authors")
    names = [each.get("name") for each in authors if isinstance(each, dict)] if isinstance(authors, list) else []
    facts["author"] = ", ".join(name for name in names if isinstance(name, str))
    return {key: clean(value) for key, value in facts.items() if value}
