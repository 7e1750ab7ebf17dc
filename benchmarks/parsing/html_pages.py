"""HTML: what each extractor keeps of real manuals, and what it lets through.

    uv run --group dev python benchmarks/parsing/html_pages.py --files apache=DIR sqlite=DIR [--sample 60]

Each DIR holds the pages of one manual, such as those of Debian's documentation packages. What counts as right is found
without any of the extractors: the text nodes below `<main>`, `role=main` or else `<body>`, without what is hidden and
without `nav`, `header`, `footer`, `aside` and the roles that mean the same. The pages in `pages` are like those of
blogs, news and shops; in these, what is no text is marked.

words     of the reference that are in the text, each as often as it is there
headings  pages whose headings of the reference are all headings in the Markdown
cells     of tables with a heading row that stand in a row of their own table, between bars, in order
foreign   words of the text that are not in the reference: navigation and the like
s, MB     CPU seconds for all pages, and the peak of the process
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import resource
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree  # ty: ignore[import-not-found]

WORD = re.compile(r"[^\W\d_]+|\d+")
OUT = {"nav", "header", "footer", "aside"}
OUT_ROLES = {"navigation", "banner", "contentinfo", "complementary", "search"}
UNSEEN = {
    "head", "script", "style", "noscript", "template", "title", "meta", "link", "base", "iframe", "object", "video",
    "audio", "canvas", "svg", "math", "button", "input",
}  # fmt: skip
HEADING = re.compile(r"^ {0,3}#{1,6} +(.*)$", re.MULTILINE)


@dataclass
class Reference:
    """What a page shows in its main part."""

    words: Counter[str]
    headings: list[tuple[str, ...]]
    rows: list[list[tuple[str, ...]]]


def words(text: str) -> list[str]:
    """Split a text into runs of letters and of digits, without what is not seen."""
    text = unicodedata.normalize("NFC", text.replace("\u00ad", "").replace("\u200b", ""))
    return [word.lower() for word in WORD.findall(text)]


def parse(source: str) -> Any:
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    return etree.fromstring(source.encode(), parser)


def reference(source: str) -> Reference:
    """Read what a page shows, node by node."""
    tree = parse(source)
    roots = [each for each in tree.iter("main", "{*}main") if "".join(each.itertext()).strip()]
    roots = roots or [each for each in tree.iter() if isinstance(each.tag, str) and each.get("role") == "main"]
    whole = not roots
    root = roots[0] if roots else tree
    found, headings, rows = Counter(), [], []
    for text in _texts(root, whole=whole):
        found.update(words(text))
    for element in root.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        if not any(_is_out(each, whole=whole) for each in [element, *element.iterancestors()]):
            title = tuple(words(" ".join(_texts(element, whole=whole))))
            if title:
                headings.append(title)
    for table in root.iter("table"):
        if any(_is_out(each, whole=whole) for each in [table, *table.iterancestors()]):
            continue
        rows += _rows(table, whole=whole)
    return Reference(found, headings, rows)


def _is_out(element: Any, *, whole: bool) -> bool:
    tag = element.tag
    if not isinstance(tag, str) or tag in UNSEEN or element.get("hidden") is not None:
        return True
    if element.get("data-furniture") is not None:  # of our own pages, in the folder beside this file
        return True
    if tag == "summary" and element.get("class") == "hideme":  # rustdoc's, which its style sheet hides
        return True
    if re.search(r"display\s*:\s*none", element.get("style", "")):
        return True
    if tag == "nav" or element.get("role") == "navigation" or element.get("class") in {"navheader", "navfooter"}:
        return True  # the latter are DocBook's
    return whole and (tag in OUT or element.get("role") in OUT_ROLES)


def _texts(root: Any, *, whole: bool) -> Iterator[str]:
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "start":
            if element is not root and _is_out(element, whole=whole):
                walker.skip_subtree()
                yield element.tail or ""
            else:
                yield element.text or ""
        elif element is not root:
            yield element.tail or ""


def _rows(table: Any, *, whole: bool) -> Iterator[list[tuple[str, ...]]]:
    """Yield the rows of a table of plain cells with headings."""
    if next(table.iter("th"), None) is None or any(
        next(table.iterdescendants(tag), None) is not None for tag in ("table", "pre", "h2", "h3", "h4")
    ):
        return
    for row in table.iter("tr"):
        cells = [tuple(words(" ".join(_texts(cell, whole=whole)))) for cell in row if cell.tag in {"td", "th"}]
        if len(cells) > 1 and all(len(cell) < 100 for cell in cells) and all(cells):
            yield cells


def score(text: str, right: Reference) -> dict[str, float]:
    """Compare a text with what is right."""
    found = Counter(words(text))
    titles = Counter(tuple(words(title)) for title in HEADING.findall(text))
    wanted = Counter(right.headings)
    in_rows = Counter()
    for line in text.splitlines():
        if "|" in line:
            in_rows[tuple(tuple(words(cell)) for cell in re.split(r"(?<!\\)\|", line) if words(cell))] += 1
    cells = sum(map(len, right.rows))
    good = 0
    for row in right.rows:
        key = tuple(row)
        if in_rows[key]:
            in_rows[key] -= 1
            good += len(row)
        elif any(set(row) <= set(line) for line in in_rows):  # cells of rows above are repeated in it
            good += len(row)
    return {
        "words": right.words.total(),
        "kept": (right.words & found).total(),
        "foreign": (found - right.words).total(),
        "found": found.total(),
        "with_headings": bool(wanted),
        "headings": bool(wanted) and not wanted - titles,
        "cells": cells,
        "good": good,
    }


def extractors() -> dict[str, Callable[[str], str]]:
    """Make those that are installed."""
    return {name: make for name, (module, make) in CANDIDATES.items() if find_spec(module)}


def _relance(source: str) -> str:
    from relance.errors import DocumentError
    from relance.parsers.html import read_page

    try:
        return read_page(source, "page").text
    except DocumentError:
        return ""


def _trafilatura(**options: Any) -> Callable[[str], str]:
    def extract(source: str) -> str:
        import trafilatura  # ty: ignore[import-not-found]

        return trafilatura.extract(source, output_format="markdown", include_comments=False, **options) or ""

    return extract


def _markdownify(source: str) -> str:
    from markdownify import markdownify  # ty: ignore[import-not-found]

    return markdownify(source, heading_style="ATX", strip=["a", "script", "style"])


def _html2text(source: str) -> str:
    import html2text  # ty: ignore[import-not-found]

    converter = html2text.HTML2Text(bodywidth=0)
    converter.ignore_links = True
    converter.unicode_snob = True
    return converter.handle(source)


def _html_to_markdown(source: str) -> str:
    from html_to_markdown import convert  # ty: ignore[import-not-found]

    result = convert(source)
    return result if isinstance(result, str) else (result.content or "")


def _kreuzberg(source: str) -> str:
    import kreuzberg  # ty: ignore[import-not-found]

    config = kreuzberg.ExtractionConfig(output_format="markdown")
    return kreuzberg.extract_bytes_sync(source.encode(), "text/html", config).content


def _readability(source: str) -> str:
    from readability import Document  # ty: ignore[import-not-found]

    return _html2text(Document(source).summary())


def _resiliparse(source: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text  # ty: ignore[import-not-found]

    return extract_plain_text(source, main_content=True, alt_texts=True)


def _selectolax(source: str) -> str:
    from selectolax.lexbor import LexborHTMLParser  # ty: ignore[import-not-found]

    tree = LexborHTMLParser(source)
    tree.strip_tags(["script", "style", "nav", "header", "footer", "aside"])
    return tree.body.text(separator=" ") if tree.body else ""


CANDIDATES: dict[str, tuple[str, Callable[[str], str]]] = {
    "relance": ("relance", _relance),
    "trafilatura": ("trafilatura", _trafilatura()),
    "trafilatura, recall": ("trafilatura", _trafilatura(favor_recall=True)),
    "kreuzberg": ("kreuzberg", _kreuzberg),
    "html-to-markdown": ("html_to_markdown", _html_to_markdown),
    "markdownify": ("markdownify", _markdownify),
    "html2text": ("html2text", _html2text),
    "readability-lxml + html2text": ("readability", _readability),
    "resiliparse": ("resiliparse", _resiliparse),
    "selectolax, text": ("selectolax", _selectolax),
}


def run(name: str, pages: list[Path], answer: Any) -> None:
    """Extract all pages in a process of its own."""
    import logging

    logging.disable(logging.CRITICAL)
    extract = CANDIDATES[name][1]
    scores: list[dict[str, float]] = []
    seconds = 0.0
    for page in pages:
        source = page.read_text(encoding="utf-8", errors="replace")
        begun = time.process_time()
        try:
            text = extract(source)
        except Exception as error:
            print(f"    {page}: {type(error).__name__}: {str(error)[:100]}")
            text = ""
        seconds += time.process_time() - begun
        right = reference(source)
        if right.words:
            scores.append(score(text, right) | {"page": str(page)})  # ty: ignore
    answer.send((scores, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    """Print a table for each manual."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", nargs="+", default=[], metavar="[NAME=]DIR")
    parser.add_argument("--sample", type=int, default=60, help="pages of each manual; 0: all")
    parser.add_argument("--extractors", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--worst", type=int, default=0, help="name so many pages with most words missing")
    arguments = parser.parse_args()
    known = extractors()
    for given in [f"own pages={Path(__file__).parent / 'pages'}", *arguments.files]:
        name, _, folder = given.rpartition("=")
        pages = sorted(path for path in Path(folder).rglob("*.html") if path.is_file())
        if arguments.sample and len(pages) > arguments.sample:
            pages = sorted(random.Random(7).sample(pages, arguments.sample))
        total = sum(page.stat().st_size for page in pages) / 1e6
        print(f"\n**{name or Path(folder).name}**: {len(pages)} pages, {total:.1f} MB\n")
        print("| extractor | words % | headings % | cells % | foreign % | s | MB |\n|---|---|---|---|---|---|---|")
        for extractor in arguments.extractors:
            if extractor not in known:
                continue
            receive, send = multiprocessing.get_context("spawn").Pipe(duplex=False)
            process = multiprocessing.get_context("spawn").Process(target=run, args=(extractor, pages, send))
            process.start()
            scores, seconds, memory = receive.recv()
            process.join()
            print(f"| {extractor} | {line(scores)} | {seconds:.1f} | {memory:.0f} |", flush=True)
            for each in sorted(scores, key=lambda each: each["kept"] - each["words"])[: arguments.worst]:
                print("   ", int(each["words"] - each["kept"]), int(each["words"]), each["page"])
            if arguments.worst:
                for each in [each for each in scores if each["with_headings"] and not each["headings"]][
                    : arguments.worst
                ]:
                    print("    headings", each["page"])


def line(scores: list[dict[str, float]]) -> str:
    """Sum up what was scored."""

    def share(part: str, whole: str) -> str:
        below = sum(each[whole] for each in scores)
        return f"{100 * sum(each[part] for each in scores) / below:.1f}" if below else "–"

    pairs = (("kept", "words"), ("headings", "with_headings"), ("good", "cells"), ("foreign", "found"))
    return " | ".join(share(*pair) for pair in pairs)


if __name__ == "__main__":
    main()
