"""Measure what extractors keep of PDFs, and print a Markdown table.

    uv run python benchmarks/parsing/pdf.py [--documents 12] [--files DIR] [--limit 60] [--chromium PATH]

Invented manuals are printed by Chromium, once with tags and an outline and once without, with a running head and page
numbers; what was written is known, so that words, headings, cells and furniture can be counted. Of `--files` (say, PDFs
of documentation packages) only the outline is known: there, `headings` is how many of its titles are headings in the
text, and `words` what PDFium's plain text has. `relance, by type` may not look at outlines and tags. An extractor that
is not installed is left out.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from corpus import Writer

HEADING = re.compile(r"^(#{1,6})[ \t]+(.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"\w{2,}")
RULE = re.compile(r"[-: ]*")


@dataclass
class Truth:
    """What a PDF says."""

    data: bytes
    pages: int
    words: Counter[str] = field(default_factory=Counter)
    headings: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    furniture: str = ""


@dataclass
class Score:
    """Sums over PDFs."""

    words: list[int] = field(default_factory=lambda: [0, 0])
    headings: list[int] = field(default_factory=lambda: [0, 0])
    right: list[int] = field(default_factory=lambda: [0, 0])
    rows: list[int] = field(default_factory=lambda: [0, 0])
    furniture: list[int] = field(default_factory=lambda: [0, 0])
    seconds: float = 0
    pages: int = 0
    failed: int = 0


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    sets = {
        "printed, tagged": list(printed(arguments.documents, arguments.chromium, tagged=True)),
        "printed, without tags": list(printed(arguments.documents, arguments.chromium, tagged=False)),
    }
    if arguments.files:
        sets["files"] = list(real(arguments.files, arguments.limit))
    print("| set | extractor | words | headings | of them right | rows | furniture out | ms a page | failed |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, truths in sets.items():
        for label, extract in extractors().items():
            score = measure(truths, extract)
            shares = [share(each) for each in (score.words, score.headings, score.right, score.rows, score.furniture)]
            cost = 1e3 * score.seconds / max(score.pages, 1)
            print(f"| {name} | {label} | {' | '.join(shares)} | {cost:.1f} | {score.failed} |", flush=True)


def share(pair: list[int]) -> str:
    """Write a share in per cent."""
    return f"{100 * pair[0] / pair[1]:.1f} %" if pair[1] else "–"


def printed(count: int, chromium: str, *, tagged: bool) -> Iterator[Truth]:
    """Write manuals as HTML and print them."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for seed in range(count):
            truth = Truth(b"", 0, furniture=f"Manual {seed} of the works")
            page.set_content(manual(Writer(seed), truth))
            truth.data = page.pdf(
                format="A4", tagged=tagged, outline=tagged, display_header_footer=True,
                header_template=f"<span style='font-size:8px;margin-left:2cm'>{truth.furniture}</span>",
                footer_template="<span style='font-size:8px;margin-left:9cm'>Page <b class=pageNumber></b></span>",
                margin={"top": "2.5cm", "bottom": "2.5cm", "left": "2cm", "right": "2cm"},
            )  # fmt: skip
            truth.pages = len(plain_pages(truth.data))
            yield truth
        browser.close()


def manual(writer: Writer, truth: Truth) -> str:
    """Write a manual in HTML: sections, paragraphs, lists, tables of numbers."""
    parts = [f"<html lang=en><title>{truth.furniture}</title><body style='font: 11pt serif'>"]

    def say(tag: str, text: str) -> None:
        truth.words.update(words_of(text))
        parts.append(f"<{tag}>{text}</{tag}>")

    def head(level: int) -> None:
        text = " ".join(writer.take(writer.between(2, 6))).capitalize()
        truth.headings.append(text)
        say(f"h{level}", text)

    head(1)
    for _ in range(writer.between(3, 6)):
        head(2)
        for _ in range(writer.between(1, 4)):
            head(3)
            for _ in range(writer.between(1, 4)):
                say("p", " ".join(writer.sentence() for _ in range(writer.between(2, 6))))
        if writer.between(0, 2):
            parts.append(table(writer, truth))
        parts.append("<ul>")
        for _ in range(writer.between(2, 5)):
            say("li", " ".join(writer.take(4)))
        parts.append("</ul>")
    return "".join(parts)


def table(writer: Writer, truth: Truth) -> str:
    """Write a table: a column of names, and of numbers."""
    columns = writer.between(2, 5)
    rows = [tuple(writer.take(1)[0].capitalize() for _ in range(columns))]
    for _ in range(writer.between(3, 9)):
        name = " ".join(writer.take(writer.between(1, 3)))
        rows.append((name, *(f"{writer.between(1, 9_000):,}" for _ in range(columns - 1))))
    truth.rows += rows
    truth.words.update(word for row in rows for cell in row for word in words_of(cell))
    style = "border='1' cellpadding='6' style='border-collapse: collapse'"
    lines = ["".join(f"<{'td' if at else 'th'}>{cell}</{'td' if at else 'th'}>" for cell in row)
             for at, row in enumerate(rows)]  # fmt: skip
    return f"<table {style}>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def real(folder: Path, limit: int) -> Iterator[Truth]:
    """Read PDFs that have an outline; what is true of them is what PDFium reads."""
    import pypdfium2

    from relance.parsers.pdf.outline import read_outline

    for path in sorted(folder.rglob("*.pdf"))[:limit]:
        data = path.read_bytes()
        try:
            pages = plain_pages(data)
            document = pypdfium2.PdfDocument(data)
            titles = [mark.title for mark in read_outline(document)]
            document.close()
        except pypdfium2.PdfiumError:
            continue
        if titles:
            yield Truth(data, len(pages), Counter(words_of("\n".join(pages))), titles)


def plain_pages(data: bytes) -> list[str]:
    """Read the text layer."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    texts = []
    for page in document:
        layer = page.get_textpage()
        texts.append(re.sub("[\ufffe\x02](?:\r\n)?", "", layer.get_text_range()))
        layer.close()
        page.close()
    document.close()
    return texts


def words_of(text: str) -> list[str]:
    """List the words of a text, in small letters."""
    return WORD.findall(text.casefold())


def plain(text: str) -> str:
    """Reduce a heading to its letters, without its number."""
    text = re.sub(r"(?i)^(?:chapter|appendix|part|section)?\s*(?:[A-Z]|[IVX]+)?[\d.]*\s+", "", text.strip())
    return re.sub(r"[\W_]+", "", text).casefold()


def extractors() -> dict[str, Callable[[bytes], str]]:
    """Name what is installed."""
    found: dict[str, Callable[[bytes], str]] = {"relance": ours, "relance, by type": by_type,
                                                 "pypdfium2": lambda data: "\n".join(plain_pages(data))}  # fmt: skip
    for name, extract in {"kreuzberg": kreuzberg, "pdfplumber": plumber, "pypdf": pypdf}.items():
        try:
            import_module(name)
        except ImportError:
            continue
        found[name] = extract
    return found


def ours(data: bytes) -> str:
    """Read as relance does."""
    from relance.parsers import Raw
    from relance.parsers.pdf import Pdf

    return Pdf().parse(Raw(data, "a.pdf", "application/pdf")).text


def by_type(data: bytes) -> str:
    """Read as relance does where neither an outline nor tags help."""
    with (
        patch("relance.parsers.pdf.outline.read_outline", lambda _: []),
        patch("pypdfium2.raw.FPDFCatalog_IsTagged", lambda _: False),
    ):
        return ours(data)


def kreuzberg(data: bytes) -> str:
    """Read with kreuzberg, as Markdown."""
    import kreuzberg as library  # ty: ignore[import-not-found]

    config = library.ExtractionConfig(output_format="markdown", use_cache=False)
    config.disable_ocr = True
    return library.extract_bytes_sync(data, "application/pdf", config=config).content


def plumber(data: bytes) -> str:
    """Read with pdfplumber (pdfminer.six), and its tables as Markdown."""
    parts = []
    with import_module("pdfplumber").open(io.BytesIO(data)) as document:
        for page in document.pages:
            parts.append(page.extract_text())
            for table in page.extract_tables():
                parts += ["| " + " | ".join(cell or "" for cell in row) + " |" for row in table]
            page.close()
    return "\n".join(parts)


def pypdf(data: bytes) -> str:
    """Read with pypdf."""
    reader = import_module("pypdf").PdfReader(io.BytesIO(data))
    return "\n".join(page.extract_text() for page in reader.pages)


def measure(truths: list[Truth], extract: Callable[[bytes], str]) -> Score:
    """Compare what an extractor makes of PDFs with what they say."""
    score = Score()
    with suppress(Exception):  # imports and models are no cost of a page
        extract(truths[0].data)
    for truth in truths:
        start = time.process_time()
        try:
            text = extract(truth.data)
        except Exception:  # whatever a library raises
            score.failed += 1
            continue
        score.seconds += time.process_time() - start
        score.pages += truth.pages
        add(score.words, (truth.words & Counter(words_of(text))).total(), truth.words.total())
        wanted = Counter(map(plain, truth.headings))
        got = Counter(plain(title) for _, title in HEADING.findall(FENCED.sub("", text)))
        add(score.headings, (wanted & got).total(), wanted.total())
        add(score.right, (wanted & got).total(), got.total())
        if truth.furniture:
            add(score.furniture, max(truth.pages - text.count(truth.furniture), 0), truth.pages)
        lines = Counter(tuple(part.strip() for part in line.strip().strip("|").split("|"))
                        for line in text.splitlines() if line.lstrip().startswith("|"))  # fmt: skip
        add(score.rows, (Counter(truth.rows) & lines).total(), len(truth.rows))
    return score


def add(pair: list[int], part: int, whole: int) -> None:
    """Add a share."""
    pair[0] += part
    pair[1] += whole


if __name__ == "__main__":
    main()
