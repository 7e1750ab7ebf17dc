"""Blocks and rows of Notion as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, Protocol

from relance.sources.connector.html_text import element

__all__ = ["blocks_html", "database_html", "properties_html", "title_of"]

# unstructured-ingest makes Div of headings, and leaves `<` and `&` as they are; what it does not know ends the page.
_TAGS = {
    "heading_1": "h2", "heading_2": "h3", "heading_3": "h4", "heading_4": "h5", "quote": "blockquote", "code": "pre",
    "bulleted_list_item": "li", "numbered_list_item": "li", "to_do": "li",
}  # fmt: skip
_LISTS = {"bulleted_list_item": "ul", "to_do": "ul", "numbered_list_item": "ol"}
_ELSEWHERE = frozenset({"child_page", "child_database"})  # documents of their own
_MARKS = {"bold": "b", "italic": "i", "strikethrough": "s", "code": "code"}


class Blocks(Protocol):
    """Where blocks come from."""

    def blocks(self, name: str) -> Iterator[dict[str, Any]]:
        """Stream the blocks below a page or block."""
        ...


def title_of(got: Mapping[str, Any]) -> str:
    """Return the title of a page or database."""
    if isinstance(got.get("title"), list):
        return _plain(got["title"])
    titles = (each for each in (got.get("properties") or {}).values() if each.get("type") == "title")
    return next((_plain(each.get("title")) for each in titles), "")


def properties_html(got: Mapping[str, Any]) -> str:
    """Write what a row of a database has beside its title."""
    found = []
    for name, value in (got.get("properties") or {}).items():
        text = "" if value.get("type") == "title" else _value(value)
        if text:
            found.append(f"<li>{escape(name)}: {escape(text)}</li>")
    return f"<ul>{''.join(found)}</ul>" if found else ""


def database_html(got: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """Write a database as a table."""
    names = sorted((got.get("properties") or {}).items(), key=lambda each: (each[1].get("type") != "title", each[0]))
    head = "".join(element("th", name) or "<th></th>" for name, _ in names)
    lines = []
    for row in rows:
        values = row.get("properties") or {}
        lines.append("".join(f"<td>{escape(_value(values.get(name) or {}))}</td>" for name, _ in names))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    said = element("p", _plain(got.get("description")))
    return f"{said}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def blocks_html(client: Blocks, name: str) -> str:
    """Write the blocks below a page or block, with what is in them."""
    parts: list[str] = []
    opened = ""
    for block in client.blocks(name):
        kind = str(block.get("type"))
        wanted = _LISTS.get(kind, "")
        if wanted != opened:
            parts += [f"</{opened}>"] * bool(opened) + [f"<{wanted}>"] * bool(wanted)
            opened = wanted
        if kind not in _ELSEWHERE:
            parts.append(_block(client, block, kind))
    return "".join([*parts, f"</{opened}>" if opened else ""])


def _block(client: Blocks, block: Mapping[str, Any], kind: str) -> str:
    content: Mapping[str, Any] = block.get(kind) or {}
    if kind == "table":
        return _table(client, block, content)
    inside = blocks_html(client, block["id"]) if block.get("has_children") else ""
    text = _rich(content.get("rich_text"), plain=kind == "code")
    if kind == "equation":
        text = f"<code>{escape(str(content.get('expression') or ''))}</code>"
    elif not text:
        text = _address(content)
    if kind == "to_do" and text:
        text = ("[x] " if content.get("checked") else "[ ] ") + text
    tag = _TAGS.get(kind, "p")
    if tag in {"li", "blockquote"}:
        return f"<{tag}>{text}{inside}</{tag}>"
    return (f"<{tag}>{text}</{tag}>" if text else "") + inside


def _table(client: Blocks, block: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    rows = [(each.get("table_row") or {}).get("cells") or [] for each in client.blocks(block["id"])]
    lines = []
    for place, cells in enumerate(rows):
        tag = "th" if place == 0 and content.get("has_column_header") else "td"
        lines.append(f"<tr>{''.join(f'<{tag}>{_rich(cell)}</{tag}>' for cell in cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _rich(parts: Any, *, plain: bool = False) -> str:
    found = []
    for part in parts or ():
        text = escape(str(part.get("plain_text") or "")).replace("\n", "\n" if plain else "<br>")
        if not plain:
            for mark, tag in _MARKS.items():
                if (part.get("annotations") or {}).get(mark):
                    text = f"<{tag}>{text}</{tag}>"
            if part.get("href"):
                text = f'<a href="{escape(str(part["href"]))}">{text}</a>'
        found.append(text)
    return "".join(found)


def _address(content: Mapping[str, Any]) -> str:
    """Write the caption of a picture, file or bookmark, and the address of what stands elsewhere.

    Addresses of Notion's own files are signed anew for each request, and are left out.
    """
    caption = _rich(content.get("caption"))
    address = content.get("url") or (content.get("external") or {}).get("url") or ""
    link = f'<a href="{escape(str(address))}">{escape(str(address))}</a>' if address else ""
    return " ".join(filter(None, [caption or escape(str(content.get("name") or "")), link]))


def _plain(parts: Any) -> str:
    return "".join(str(part.get("plain_text") or "") for part in parts or ())


def _value(value: Any) -> str:  # noqa: PLR0911  # one kind, one line
    """Write the value of a property as people see it."""
    if isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and kind in value:
            return _value(value[kind])
        if "plain_text" in value:
            return str(value["plain_text"])
        if "start" in value:
            return " to ".join(str(value[key]) for key in ("start", "end") if value.get(key))
        return str(
            next((value[key] for key in ("name", "number", "prefix", "id") if value.get(key) not in (None, "")), "")
        )
    if isinstance(value, list):
        rich = all(isinstance(each, Mapping) and "plain_text" in each for each in value)
        return ("" if rich else ", ").join(filter(None, map(_value, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
