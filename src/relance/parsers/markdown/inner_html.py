"""HTML within Markdown, as the Markdown it stands for."""

from __future__ import annotations

import re

__all__ = ["LESS_THAN", "markdown_of_html"]

# Stands for a `<` that begins no tag: in code, and where an author has escaped it. No clean text has this character.
LESS_THAN = "\x02"
_INVISIBLE = re.compile(r"<(script|style|svg|template)\b[^<>]*>", re.IGNORECASE)
_TABLE = re.compile(r"^[ \t]*<table\b[^<>]*>", re.IGNORECASE | re.MULTILINE)
_HEADING = re.compile(
    r"<h(?P<level>[1-6])\b[^<>]*>(?P<words>(?:[^<]|<(?!/?h[1-6]\b)){0,1000}?)</h(?P=level)[ \t]*>", re.IGNORECASE
)
_ATTRIBUTES = r"(?P<attributes>(?:[ \t\n/][^<>]{0,4000})?)"
_LINK = re.compile(
    rf"<a\b{_ATTRIBUTES}>(?P<words>[^<>\n\[\]]{{0,1000}})</a[ \t]*>",
    re.IGNORECASE,
)
_INLINE = {
    **dict.fromkeys(("b", "strong"), "**"),
    **dict.fromkeys(("i", "em"), "*"),
    "code": "`",
    "tt": "`",
    "samp": "`",
}
_SILENT = (
    "a abbr bdi bdo big cite data del dfn font ins kbd label mark q s small span strike sub u var wbr center time nobr"
)
_BLOCKS = (
    "address article aside audio blockquote body button caption col colgroup dd details div dl dt fieldset figcaption "
    "figure footer form head header html iframe input legend main map area nav noscript object ol option p param "
    "picture pre section select source summary table tbody td textarea tfoot th thead tr track ul video "
    "h1 h2 h3 h4 h5 h6 meta link base embed"
)
_SURROUNDING = frozenset(_SILENT.split())
_KNOWN = frozenset([*_INLINE, *_SURROUNDING, *_BLOCKS.split(), "br", "hr", "img", "li", "sup"])
_TAG = re.compile(rf"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z\d]{{0,11}}+){_ATTRIBUTES}>")
_ATTRIBUTE = re.compile(
    r"\b(?P<name>alt|src|href|aria-label)[ \t]*=[ \t]*"
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'<>]+))",
    re.IGNORECASE,
)
# A table with more than that in it is a page that was laid out with it; tags alone are taken out of it.
_LONGEST_TABLE = 1 << 20


def markdown_of_html(text: str) -> str:
    """Write headings, tables, links, pictures and emphasis of HTML as Markdown does, and take other known tags out.

    What is no tag of HTML stays as it is: `Vec<T>`, `<your name>`.
    """
    if "<" in text:
        text = _without(_INVISIBLE, text)
        text = _HEADING.sub(_heading, text)
        text = _tables(text)
        text = _TAG.sub(_but_links, text)
        text = _LINK.sub(_link, text)
        text = _TAG.sub(_tag, text)
    return text.replace(LESS_THAN, "<")


def _without(opening: re.Pattern[str], text: str) -> str:
    """Take elements out with what is in them; one that never ends is left as it is."""
    kept, at = [], 0
    endless: set[str] = set()
    for found in opening.finditer(text):
        name = found[1].lower()
        if found.start() < at or name in endless:
            continue
        end = re.compile(rf"</{name}[ \t]*>", re.IGNORECASE).search(text, found.end())
        if end is None:
            endless.add(name)
            continue
        kept.append(text[at : found.start()])
        at = end.end()
    return "".join([*kept, text[at:]])


def _heading(found: re.Match[str]) -> str:
    words = " ".join(_TAG.sub(_tag, _LINK.sub(_link, found["words"])).split())
    return f"\n\n{'#' * int(found['level'])} {words}\n\n" if words else ""


def _attributes(text: str) -> dict[str, str]:
    found = {}
    for each in _ATTRIBUTE.finditer(text):
        found.setdefault(each["name"].lower(), each["double"] or each["single"] or each["bare"] or "")
    return found


def _but_links(found: re.Match[str]) -> str:
    """Write every tag but those of links, so that a link's words stand alone."""
    return found[0] if found["name"].lower() == "a" else _tag(found)


def _link(found: re.Match[str]) -> str:
    url = _attributes(found["attributes"]).get("href", "")
    words = found["words"]
    return f"[{words}]({url})" if words.strip() and url and not re.search(r"[\s()]", url) else words


def _tag(found: re.Match[str]) -> str:  # noqa: PLR0911  # a table of tags
    name, ends = found["name"].lower(), bool(found["end"])
    if name not in _KNOWN:
        return found[0]
    if name in _INLINE:
        return _INLINE[name]
    match name:
        case "img":
            given = _attributes(found["attributes"])
            alt, url = " ".join(given.get("alt", "").split()), given.get("src", "")
            return alt if url[:5].lower() == "data:" or not url or re.search(r"[\s()]", url) else f"![{alt}]({url})"
        case "video" | "audio":
            return _attributes(found["attributes"]).get("aria-label", "") or _line(found)
        case "sup":
            return "" if ends else "^"
        case "li":
            begins = not found.string[max(found.start() - 200, 0) : found.start()].rpartition("\n")[2].strip()
            return "" if ends else "- " if begins else "\n- "
        case "br":
            return "" if found.string[found.end() : found.end() + 1] == "\n" else "\n"
        case _ if name in _SURROUNDING:
            return ""
    return _line(found)


def _line(found: re.Match[str]) -> str:
    """Begin a line where a tag stands within one."""
    text = found.string
    begins = found.start() == 0 or text[found.start() - 1] in "\n>"
    return "" if begins or text[found.end() : found.end() + 1] in {"\n", ""} else "\n"


def _tables(text: str) -> str:
    kept, at = [], 0
    for found in _TABLE.finditer(text):
        if found.start() < at:
            continue
        end = re.compile(r"</table[ \t]*>", re.IGNORECASE).search(text, found.end(), found.start() + _LONGEST_TABLE)
        if end is None:
            continue
        inside = text[found.start() : end.end()]
        written = _table(inside)
        if written is not None:
            kept += [text[at : found.start()], "\n", written, "\n"]
            at = end.end()
    return "".join([*kept, text[at:]])


def _table(source: str) -> str | None:
    """Write a table as Markdown has it; None for one that holds another one, or blocks of text."""
    if source.lower().count("<table") > 1 or re.search(r"\n[ \t]*\n[ \t]*[^\s<]", source):
        return None
    rows: list[list[str]] = []
    for row in re.split(r"<tr\b[^<>]*>", source, flags=re.IGNORECASE)[1:]:
        cells = re.split(r"<t[dh]\b([^<>]*)>", row, flags=re.IGNORECASE)
        written: list[str] = []
        for attributes, cell in zip(cells[1::2], cells[2::2], strict=True):
            words = " ".join(_TAG.sub(_tag, _LINK.sub(_link, cell)).split()).replace("|", "\\|")
            span = re.search(r"colspan[ \t]*=[ \t]*[\"']?(\d{1,2})", attributes, re.IGNORECASE)
            written += [words, *[""] * (min(int(span[1]), 50) - 1 if span else 0)]
        if any(written):
            rows.append(written)
    if not rows:
        return None
    width = max(map(len, rows))
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
