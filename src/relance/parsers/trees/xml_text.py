"""XML as headings, texts and named values."""

from __future__ import annotations

import re
from typing import Any

from relance.parsers.markup.names import names
from relance.parsers.markup.page import Page

__all__ = ["xml_page"]

# Elements of DocBook, DITA, TEI and JATS. A file with paragraphs is prose; in others every element is a named value.
_PARAGRAPHS = names("p para simpara ab shortdesc refpurpose")
_PROSE = _PARAGRAPHS | names(
    "formalpara li listitem item note warning caution tip important blockquote quote q abstract body section sect1 "
    "sect2 sect3 sect4 sect5 chapter article book part preface appendix div text content title head term varlistentry "
    "glossentry glossdef dd dt entry row td th caption figure table summary refsect1 refsect2 refnamediv conbody "
    "taskbody step cmd info sec bookinfo refsynopsisdiv itemizedlist orderedlist variablelist simplesect TEI reference "
    "refentry concept topic task"
)
_CODE = names("programlisting screen literallayout synopsis codeblock pre eg")
_TITLES = names("title head h1 h2 h3")
_INLINE = names(
    "emphasis em i b strong code literal command option filename function varname xref link ulink ref a span hi term "
    "sub sup sc italic bold phrase citetitle replaceable parameter classname methodname type application acronym "
    "quote q ph codeph uicontrol ext-link email uri guilabel keycap productname userinput computeroutput"
)
_FACTS = {"creator": "author", "author": "author", "date": "date", "pubdate": "date", "keyword": "keywords"}
_MOST_MARGIN = 20


def xml_page(text: str) -> Page | str:
    """Write an XML document as Markdown; a sentence that says what is wrong where it is none.

    A section's title becomes a heading, prose stays prose, code is fenced, and any other element is a line with its
    name, attributes and value, indented by its depth. Entities that the file declares are not expanded.
    """
    from lxml import etree  # ty: ignore[import-not-found]

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    body = re.sub(r"\A\s*<\?xml[^>]{0,300}\?>", "", text)
    try:
        root = etree.fromstring(body.encode("utf-8", "surrogatepass"), parser)  # no entities, no network
    except (etree.XMLSyntaxError, ValueError) as error:
        return f"it is no well-formed XML, kept as it is: {str(error)[:200]}"
    page = Page()
    is_prose = any(_name(element) in _PARAGRAPHS for element in root.iter())
    _Writer(page, is_prose=is_prose).write(root)
    return page


def _name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


class _Writer:
    """A walk over elements; libxml2 refuses more than 256 levels, so it may call itself."""

    def __init__(self, page: Page, *, is_prose: bool) -> None:
        self._page = page
        self._prose, self._inline = (_PROSE, _INLINE) if is_prose else (frozenset[str](), frozenset[str]())

    def write(self, element: Any, depth: int = 0, section: int = 0) -> None:
        name = _name(element)
        children = [child for child in element if _name(child)]
        if self._prose and name in _CODE and not any(_name(child) not in self._inline for child in children):
            self._page.code("".join(element.itertext()).split("\n"), element.get("language", ""))
            return
        if self._prose and name in _TITLES and element.getparent() is not None:
            self._page.heading(section, _text(element))
            return
        if any(_name(child) in _TITLES for child in children[:3]):
            section += 1
        blocks = [child for child in children if _name(child) not in self._inline]
        if not blocks:
            self._leaf(element, name, depth)
            return
        if name not in self._prose:
            self._line(depth, name, _attributes(element), _words(element.text))
        elif _words(element.text):
            self._page.line(_words(element.text))
        inner = depth if name in self._prose else depth + 1
        for child in children:
            self.write(child, inner, section)
            if _words(child.tail):
                self._page.line(_words(child.tail))
        if name in self._prose:
            self._page.blank()

    def _leaf(self, element: Any, name: str, depth: int) -> None:
        value = _text(element)
        if name in self._prose:
            if value:
                self._page.blank()
                self._page.line(value)
                self._page.blank()
            return
        if name in _TITLES and depth < 3:
            self._page.title = self._page.title or value[:300]
        if value and name.lower() in _FACTS and depth < 3:
            self._page.metadata.setdefault(_FACTS[name.lower()], value[:1_000])
        self._line(depth, name, _attributes(element), value)

    def _line(self, depth: int, name: str, attributes: str, value: str) -> None:
        begin = f"{'  ' * min(depth, _MOST_MARGIN)}{name}{attributes}"
        self._page.line(f"{begin}: {value}" if value else f"{begin}:" if not attributes else begin)


def _words(text: str | None) -> str:
    return " ".join(text.split()) if text else ""


def _text(element: Any) -> str:
    return _words("".join(element.itertext()))


def _attributes(element: Any) -> str:
    """Write an element's attributes; those of namespaces and drawing are noise to a reader."""
    found = [
        f"{name.rpartition('}')[2]}={value}" for name, value in element.attrib.items() if value and len(value) <= 1_000
    ]
    return f" ({', '.join(found)})" if found else ""
