"""MediaWiki."""

from __future__ import annotations

import html
import re

from relance.parsers.markup.page import Page

__all__ = ["read_mediawiki"]

_HEADING = re.compile(r"(?P<marks>={1,6})[ \t]*(?P<title>[^\n]*\S)[ \t]*(?P=marks)[ \t]*")
_CODE = re.compile(
    r"<(?P<name>pre|nowiki|source|syntaxhighlight|math)\b(?P<attributes>[^<>]{0,500})>(?P<code>.*?)</(?P=name)[ \t]*>",
    re.DOTALL | re.IGNORECASE,
)
_OPENING = re.compile(r"<(pre|nowiki|source|syntaxhighlight|math)\b", re.IGNORECASE)
_LANGUAGE = re.compile(r"\blang[ \t]*=[ \t]*[\"']?([\w+#-]+)")
_NOTE = re.compile(r"<ref\b[^<>]{0,300}/>|<ref\b[^<>]{0,300}>(?:[^<]|<(?!/?ref\b)){0,3000}</ref>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][\w]{0,15}\b[^<>\n]{0,500}>")
_LINK = re.compile(r"\[\[(?P<target>[^\[\]|\n]{1,500})(?:\|(?P<words>(?:[^\[\]\n]|\[[^\[\]\n]{0,200}\]){0,2000}))?\]\]")
_URL = re.compile(r"\[(?P<url>(?:https?:)?//[^\s\[\]]{1,1000})(?:[ \t]+(?P<words>[^\[\]\n]{1,500}))?\]")
_EMPHASIS = re.compile(r"'{2,5}")
_LIST = re.compile(r"(?P<marks>[*#:;]{1,10})[ \t]*(?P<text>.*)")
_FILE = re.compile(r"(?:file|image|datei|fichier|archivo|文件):", re.IGNORECASE)
_CATEGORY = re.compile(r":?(?:category|kategorie|catégorie|categoría|分类):", re.IGNORECASE)
_SWITCH = re.compile(r"__[A-Z]{3,30}__")
_BRACES = re.compile(r"\{\{|\}\}")
_ATTRIBUTES = re.compile(r"[^|\[\]{}\n]*=[^|\[\]{}\n]*\|(?!\|)")
_KEPT = "\x03"  # stands for a block of code; no clean text has this character


def read_mediawiki(text: str) -> Page:
    """Read wiki text: headings, links, lists, tables, code; templates and references are counted, comments go."""
    page = Page()
    codes: list[tuple[str, str]] = []
    text = _without_comments(text)
    text = _aside(text, codes)
    text, templates = _without_templates(text)
    text, notes = _NOTE.subn("", text)
    lines = text.split("\n")
    at = 0
    categories: list[str] = []
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.lstrip(" :").startswith("{|"):
            end = next(
                (number for number in range(at, len(lines)) if lines[number].lstrip().startswith("|}")), len(lines)
            )
            page.table(_rows(lines[at:end], categories), header=any(each.startswith("!") for each in lines[at:end]))
            at = end + 1
        elif found := _HEADING.fullmatch(line):
            page.heading(len(found["marks"]), _inline(found["title"], categories))
        else:
            _write(page, line, codes, categories)
    if categories:
        page.metadata["keywords"] = list(dict.fromkeys(categories))
    if templates:
        page.warnings.append(f"{templates:,} template{'s are' if templates > 1 else ' is'} not in its text")
    if notes:
        page.warnings.append(f"{notes:,} reference{'s are' if notes > 1 else ' is'} not in its text")
    return page


def _write(page: Page, line: str, codes: list[tuple[str, str]], categories: list[str]) -> None:
    for number, part in enumerate(line.split(_KEPT)):
        if number % 2:
            language, code = codes[int(part)]
            page.code(code.split("\n"), language)
            continue
        if number == 0 and part.startswith(" ") and part.strip():
            page.code([part[1:]])
            continue
        found = _LIST.fullmatch(part) if number == 0 else None
        if found:
            marks, words = found["marks"], _inline(found["text"], categories)
            lead = {"#": "1. ", "*": "- ", ";": "", ":": ""}[marks[-1]]
            margin = "  " * (len(marks) - 1) if lead else ""
            page.line(f"{margin}{lead}{f'**{words}**' if marks[-1] == ';' and words else words}")
        elif part.strip() or number == 0:
            page.line(_inline(part, categories))


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _aside(text: str, codes: list[tuple[str, str]]) -> str:
    """Put code where nothing is read into it."""
    kept, at = [], 0
    endless: set[str] = set()
    for opening in _OPENING.finditer(text):
        name = opening[1].lower()
        if opening.start() < at or name in endless:
            continue
        found = _CODE.match(text, opening.start())
        if found is None:
            if text.lower().find(f"</{name}", opening.end()) < 0:
                endless.add(name)
            continue
        language = _LANGUAGE.search(found["attributes"])
        kept.append(text[at : found.start()])
        if name == "math":
            kept.append(f"${' '.join(found['code'].split())}$")
        elif name == "nowiki" and "\n" not in found["code"]:
            kept.append(
                html.escape(found["code"], quote=False)
                .replace("[", "&#91;")
                .replace("{", "&#123;")
                .replace("'", "&#39;")
            )
        else:
            kept.append(f"{_KEPT}{len(codes)}{_KEPT}")
            codes.append((language[1] if language else "", html.unescape(found["code"])))
        at = found.end()
    return "".join([*kept, text[at:]])


def _without_templates(text: str) -> tuple[str, int]:
    """Take out what is in double braces, which may be nested; unbalanced ones stay."""
    kept, at, begin, depth, count = [], 0, 0, 0, 0
    for found in _BRACES.finditer(text):
        if found[0] == "{{":
            begin = begin if depth else found.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                kept.append(text[at:begin])
                at, count = found.end(), count + 1
    return "".join([*kept, text[at:]]), count


def _rows(lines: list[str], categories: list[str]) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("|-"):
            rows.append([])
        elif stripped.startswith("|+"):
            rows.append([_inline(stripped[2:], categories)])
        elif stripped[:1] in {"|", "!"}:
            separator = "||" if stripped[0] == "|" else "!!"
            for cell in stripped[1:].replace("!!", separator).split(separator):
                rows[-1].append(_inline(_ATTRIBUTES.sub("", cell, count=1), categories))
        elif stripped and rows[-1]:
            rows[-1][-1] += " " + _inline(stripped, categories)
    return rows


def _inline(text: str, categories: list[str]) -> str:
    def linked(found: re.Match[str]) -> str:
        target, words = found["target"].strip(), found["words"]
        if _CATEGORY.match(target):
            if not target.startswith(":"):
                categories.append(target.partition(":")[2].strip())
                return ""
            return words or target[1:]
        if _FILE.match(target):
            return (words or "").rpartition("|")[2] if words else ""
        return words or target.lstrip(":")

    text = _SWITCH.sub("", text)
    text = _URL.sub(lambda found: f"[{found['words']}]({found['url']})" if found["words"] else found["url"], text)
    text = _LINK.sub(linked, _LINK.sub(linked, text) if "[[" in text else text)
    text = _EMPHASIS.sub(lambda found: {2: "*", 3: "**", 5: "***"}.get(len(found[0]), found[0]), text)
    return html.unescape(_TAG.sub("", text)).strip()
