"""Office documents and e-books: what each extractor keeps of real files.

    uv run --group dev --with kreuzberg,python-pptx,openpyxl,odfpy,striprtf,docx2python \
        python benchmarks/parsing/office.py --files DIR

What counts as right is found without any of the extractors: the text nodes of a file's own XML (hidden and deleted
text, hidden slides and sheets, fields' instructions and the older of two forms left out), its headings by outline
level, element or placeholder, and the rows of its tables. An RTF file is compared with the DOCX file of the same name
beside it, a workbook with the values that openpyxl reads. Extractors that are not installed are passed over.

words     of the reference that are in the text, each as often as it is there
headings  of the reference that are headings in the text
rows      of tables whose cells stand in one line of the text, in order
s, MB     CPU seconds for all files, and the peak of the process
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import posixpath
import re
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import dropwhile
from pathlib import Path
from typing import Any

from lxml import etree, html  # ty: ignore[import-not-found]

from relance.parsers import Raw
from relance.parsers.media_types import media_type_of
from relance.parsers.office import Office

WORD = re.compile(r"[^\W\d_]+|\d+")
HEADING = re.compile(r"^ {0,3}#{1,6} +(.*)$", re.MULTILINE)
FORMATS = ("docx", "pptx", "xlsx", "odt", "ods", "odp", "rtf", "epub")


@dataclass
class Reference:
    """What a file says."""

    words: Counter[str] = field(default_factory=Counter)
    headings: list[tuple[str, ...]] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)


def words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]


def squeezed(elements: Iterable[Any], names: str) -> list[str]:
    """Join the texts below each element, blanks where it breaks a line, has a tab or counts blanks."""
    breaks = " or ".join(f"local-name()='{name}'" for name in ("br", "cr", "tab", "line-break", "s"))
    return [
        "".join(
            node if isinstance(node, str) else " " for node in element.xpath(f".//text()[{names}] | .//*[{breaks}]")
        )
        for element in elements
    ]


def cells(found: list[Any], names: str) -> tuple[str, ...]:
    """Read the cells of a row, a blank between their paragraphs."""
    inside = (squeezed(cell.xpath(".//*[local-name()='p' or local-name()='h']"), names) for cell in found)
    return tuple(" ".join(words(" ".join(texts))) for texts in inside)


def docx(files: zipfile.ZipFile) -> Reference:
    body = etree.fromstring(files.read("word/document.xml"))
    shown = (
        "ancestor::*[local-name()='t'] and not(ancestor::*[local-name()='del' or local-name()='Fallback' or "
        "local-name()='moveFrom']) and not(ancestor::*[local-name()='r']/*/*[local-name()='vanish'])"
    )
    found = Reference()
    paragraphs = body.xpath("//*[local-name()='p']")
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        if name in files.namelist():
            paragraphs += etree.fromstring(files.read(name)).xpath("//*[local-name()='p']")
    outlines = {}
    if "word/styles.xml" in files.namelist():
        for style in etree.fromstring(files.read("word/styles.xml")).xpath("//*[local-name()='style']"):
            if style.xpath(".//*[local-name()='outlineLvl']"):
                outlines[style.xpath("string(@*[local-name()='styleId'])")] = True
    for paragraph, text in zip(paragraphs, squeezed(paragraphs, shown), strict=True):
        if not paragraph.xpath("ancestor::*[local-name()='p']"):  # a text box is in its own paragraph
            found.words.update(words(text))
        if paragraph.xpath("string(*[local-name()='pPr']/*[local-name()='pStyle']/@*)") in outlines and words(text):
            found.headings.append(tuple(words(text)))
    for row in body.xpath("//*[local-name()='tr']"):
        found.rows.append(cells(row.xpath("*[local-name()='tc']"), shown))
    return found


def pptx(files: zipfile.ZipFile) -> Reference:
    found = Reference()
    for name in files.namelist():
        if not re.fullmatch(r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml", name):
            continue
        root = etree.fromstring(files.read(name))
        if root.get("show") == "0":
            continue
        for shape in root.xpath("//*[local-name()='sp' or local-name()='tbl']"):
            kind = shape.xpath("string(.//*[local-name()='ph']/@type)")
            if kind in {"sldNum", "dt", "sldImg"} or ("notesSlides" in name and kind != "body"):
                continue
            texts = squeezed(shape.xpath(".//*[local-name()='p']"), "ancestor::*[local-name()='t']")
            found.words.update(word for text in texts for word in words(text))
            if kind in {"title", "ctrTitle"} and any(map(words, texts)):
                found.headings.append(tuple(words(" ".join(texts))))
            for row in shape.xpath(".//*[local-name()='tr']"):
                texts = squeezed(row.xpath("*[local-name()='tc']"), "ancestor::*[local-name()='t']")
                found.rows.append(tuple(" ".join(words(text)) for text in texts))
    return found


def xlsx(files: zipfile.ZipFile) -> Reference:
    import openpyxl  # ty: ignore[import-not-found]  # not of ours

    found = Reference()
    book = openpyxl.load_workbook(io.BytesIO(Path(str(files.filename)).read_bytes()), data_only=True)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        found.headings.append(tuple(words(sheet.title)))
        for row in sheet.iter_rows():
            # Texts only: how numbers are shown is what the extractors differ in.
            hidden = sheet.row_dimensions[row[0].row].hidden
            texts = [
                str(cell.value)
                for cell in row
                if isinstance(cell.value, (str, int)) and not isinstance(cell.value, bool)
            ]
            if texts and not hidden:
                found.words.update(word for text in texts for word in words(text))
                found.rows.append(tuple(" ".join(words(text)) for text in texts))
    return found


def odf(files: zipfile.ZipFile) -> Reference:
    body = etree.fromstring(files.read("content.xml")).xpath("//*[local-name()='body']")[0]
    shown = (
        "not(ancestor::*[local-name()='tracked-changes' or local-name()='annotation' or local-name()='page-number'])"
    )
    found = Reference()
    paragraphs = body.xpath(".//*[local-name()='p' or local-name()='h'][not(ancestor::*[local-name()='p'])]")
    for paragraph, text in zip(paragraphs, squeezed(paragraphs, shown), strict=True):
        found.words.update(words(text))
        if etree.QName(paragraph).localname == "h" and words(text):
            found.headings.append(tuple(words(text)))
    for row in body.xpath(".//*[local-name()='table-row']"):
        found.rows.append(cells(row.xpath("*[local-name()='table-cell']"), shown))
    return found


def epub(files: zipfile.ZipFile) -> Reference:
    found = Reference()
    container = etree.fromstring(files.read("META-INF/container.xml"))
    path = container.xpath("string(//*[local-name()='rootfile']/@full-path)")
    package = etree.fromstring(files.read(path))
    items = {item.get("id"): item for item in package.xpath("//*[local-name()='item']")}
    for ref in package.xpath("//*[local-name()='itemref']"):
        item = items[ref.get("idref")]
        if "nav" in (item.get("properties") or ""):
            continue
        page = html.document_fromstring(files.read(posixpath.join(posixpath.dirname(path), item.get("href"))))
        body = page.find("body")
        found.words.update(words(" ".join(body.xpath(".//text()[not(ancestor::script or ancestor::style)]"))))
        for heading in body.xpath(".//h1 | .//h2 | .//h3 | .//h4 | .//h5 | .//h6"):
            if words(heading.text_content()):
                found.headings.append(tuple(words(heading.text_content())))
        for row in body.xpath(".//tr[not(.//table)]"):
            found.rows.append(tuple(" ".join(words(cell.text_content())) for cell in row.xpath("td | th")))
    return found


def reference(path: Path) -> Reference:
    """Find what a file says."""
    kind = path.suffix[1:]
    with zipfile.ZipFile(path.with_suffix(".docx") if kind == "rtf" else path) as files:
        return {"docx": docx, "rtf": docx, "pptx": pptx, "xlsx": xlsx, "epub": epub}.get(kind, odf)(files)


def by_relance() -> Callable[[Path], str]:
    parser = Office()
    return lambda path: parser.parse(Raw(path.read_bytes(), path.name, media_type_of(path.name))).text


def by_kreuzberg() -> Callable[[Path], str]:
    import kreuzberg  # ty: ignore[import-not-found]

    config = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
    config.disable_ocr = True
    return lambda path: kreuzberg.extract_bytes_sync(path.read_bytes(), media_type_of(path.name), config=config).content


def by_python_docx() -> Callable[[Path], str]:
    from docx import Document

    return lambda path: "\n".join(p.text for p in Document(str(path)).paragraphs)


def by_docx2python() -> Callable[[Path], str]:
    from docx2python import docx2python  # ty: ignore[import-not-found]

    return lambda path: docx2python(path).text


def by_python_pptx() -> Callable[[Path], str]:
    from pptx import Presentation  # ty: ignore[import-not-found]

    def read(path: Path) -> str:
        shapes = [shape for slide in Presentation(str(path)).slides for shape in slide.shapes]
        return "\n".join(shape.text_frame.text for shape in shapes if shape.has_text_frame)

    return read


def by_odfpy() -> Callable[[Path], str]:
    from odf import teletype  # ty: ignore[import-not-found]
    from odf.opendocument import load  # ty: ignore[import-not-found]

    return lambda path: teletype.extractText(load(str(path)).body)


def by_striprtf() -> Callable[[Path], str]:
    from striprtf.striprtf import rtf_to_text  # ty: ignore[import-not-found]

    return lambda path: rtf_to_text(path.read_text("latin-1"))


EXTRACTORS: dict[str, tuple[str, Callable[[], Callable[[Path], str]], tuple[str, ...]]] = {
    "relance": ("relance", by_relance, FORMATS),
    "kreuzberg": ("kreuzberg", by_kreuzberg, FORMATS),
    "python-docx": ("docx", by_python_docx, ("docx",)),
    "docx2python": ("docx2python", by_docx2python, ("docx",)),
    "python-pptx": ("pptx", by_python_pptx, ("pptx",)),
    "odfpy": ("odf", by_odfpy, ("odt", "ods", "odp")),
    "striprtf": ("striprtf", by_striprtf, ("rtf",)),
}


def measure(name: str, paths: list[Path], pipe: Any) -> None:
    """Run an extractor over files of one format in a process of its own."""
    read = EXTRACTORS[name][1]()
    with suppress(Exception):
        read(paths[0])  # imports and warms up
    texts: list[str | None] = []
    begin = time.process_time()
    for path in paths:
        try:
            texts.append(read(path))
        except BaseException:  # a Rust panic is no Exception
            texts.append(None)
    seconds = time.process_time() - begin
    pipe.send((texts, seconds, peak()))


def peak() -> int:
    """Return the most memory this process had, in MB; what rusage says includes its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=Path, required=True, help="a folder with office documents and e-books")
    folder = arguments.parse_args().files
    by_format: dict[str, list[tuple[Path, Reference]]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        kind = path.suffix[1:]
        if kind in FORMATS and (kind != "rtf" or path.with_suffix(".docx").exists()):
            with suppress(zipfile.BadZipFile, etree.XMLSyntaxError, KeyError, ValueError):
                found = reference(path)
                if found.words:
                    by_format[kind].append((path, found))
    print(
        "| format (files) | extractor | words | headings | rows | refused | s | MB |\n|---|---|---|---|---|---|---|---|"
    )
    for kind in FORMATS:
        known = by_format.get(kind, [])
        for name, (module, _, formats) in EXTRACTORS.items():
            if not known or kind not in formats or find_spec(module) is None:
                continue
            ours, theirs = multiprocessing.get_context("spawn").Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=measure, args=(name, [p for p, _ in known], theirs)
            )
            process.start()
            texts, seconds, megabytes = ours.recv()
            process.join()
            print(
                f"| {kind} ({len(known)}) | {name} | {score(known, texts)} | {seconds:.1f} | {megabytes} |", flush=True
            )


def score(known: list[tuple[Path, Reference]], texts: list[str | None]) -> str:
    """Compare texts with what the files say."""
    kept, all_words, headings, all_headings, rows, all_rows = 0, 0, 0, 0, 0, 0
    for (_, wanted), text in zip(known, texts, strict=True):
        found = Counter(words(text or ""))
        kept += (wanted.words & found).total()
        all_words += wanted.words.total()
        marked = Counter(tuple(words(re.sub(r"\[\^[^\]]*\]", "", line))) for line in HEADING.findall(text or ""))
        numberless = marked | Counter(tuple(dropwhile(str.isdecimal, heading)) for heading in marked.elements())
        headings += (Counter(wanted.headings) & numberless).total()
        all_headings += len(wanted.headings)
        lines = defaultdict(list)
        for line in (text or "").splitlines():
            for word in set(joined := words(line)):
                lines[word].append(f" {' '.join(joined)} ")
        for row in wanted.rows:
            if len(filled := [cell for cell in row if cell]) > 1:
                all_rows += 1
                rows += any(in_order(filled, line) for line in lines.get(filled[0].split()[0], ()))
    refused = sum(text is None for text in texts)
    shares = ((kept, all_words), (headings, all_headings), (rows, all_rows))
    return " | ".join([*(f"{part / whole:.1%}" if whole else "–" for part, whole in shares), str(refused)])


def in_order(cells: list[str], line: str) -> bool:
    """Whether cells stand in a line, one after the other; a merged one may stand there again."""
    at = 0
    for cell in cells:
        at = line.find(f" {cell} ", at)
        if at < 0:
            return False
        at += len(cell) + 1
    return True


if __name__ == "__main__":
    main()
