"""Words and headings kept of markup files, and encodings recognised, over files that packages ship.

    uv run --group dev python benchmarks/parsing/markup.py [--files DIR ...] [--locales DIR]

In the folders given by --files, a page is a source with the HTML that its own tool made of it: `a.txt` beside `a.html`
(AsciiDoc, as git-doc ships it), `_sources/a.rst.txt` below `a.html` (Sphinx, as sphinx-doc ships it), or
`Documentation/a.rst.gz` beside `html/a.html` (linux-doc). Words and headings of the HTML's main part are
looked for in what relance reads from the source. Without --files only speed is measured, on
the manual pages and the Help of CMake that are installed. Encodings are tried on the translations below --locales.
"""

from __future__ import annotations

import argparse
import gettext
import gzip
import hashlib
import re
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from relance.errors import DocumentError
from relance.parsers import Raw, installed_parsers
from relance.parsers.decoding import clean, decode

WORD = re.compile(r"\w+")
WRITTEN = {
    "fr": "cp1252 mac_roman cp850", "de": "cp1252 cp850", "es": "cp1252", "pt": "cp1252", "sv": "cp1252",
    "da": "cp1252", "is": "cp1252", "it": "cp1252", "pl": "cp1250 iso8859_2", "cs": "cp1250 iso8859_2", "hu": "cp1250",
    "ro": "cp1250", "hr": "cp1250", "tr": "cp1254", "lt": "cp1257", "lv": "cp1257", "et": "cp1257", "el": "cp1253",
    "ru": "cp1251 koi8_r cp866 iso8859_5", "uk": "cp1251 koi8_u", "bg": "cp1251", "sr": "cp1251", "he": "cp1255",
    "ar": "cp1256 iso8859_6", "th": "cp874", "zh_CN": "gb18030", "zh_TW": "big5", "ja": "cp932 euc_jp iso2022_jp",
    "ko": "cp949 iso2022_kr",
}  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=Path, nargs="*", default=[])
    arguments.add_argument("--locales", type=Path, default=Path("/usr/share/locale"))
    given = arguments.parse_args()
    for folder in given.files:
        kept(folder)
    print("\n| format | files | MB | s | failures |\n|---|---|---|---|---|")
    for name, media_type, paths in (
        ("manual pages", "text/troff", [*Path("/usr/share/man").glob("man[1-8]/*.gz")]),
        ("reStructuredText", "text/x-rst", [*Path("/usr/share").glob("cmake-*/Help/**/*.rst")]),
    ):
        speed(name, media_type, paths)
    if given.locales.is_dir():
        encodings(given.locales)


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def speed(name: str, media_type: str, paths: list[Path]) -> None:
    began, size, failures = time.perf_counter(), 0, 0
    for path in paths:
        data = content(path)
        size += len(data)
        try:
            installed_parsers().parse(Raw(data, path.name, media_type))
        except DocumentError:
            failures += 1
    print(f"| {name} | {len(paths):,} | {size / 1e6:.1f} | {time.perf_counter() - began:.1f} | {failures} |")


def pages(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield HTML with its source and that one's media type."""
    for page in sorted(folder.rglob("*.html")):
        for root in (each for each in page.parents if (each / "_sources").is_dir()):
            stem = page.relative_to(root).with_suffix("")
            for suffix in (".rst.txt", ".rst.txt.gz", ".txt", ".txt.gz", ".rst"):
                if (source := root / "_sources" / f"{stem}{suffix}").is_file():
                    yield page, source, "text/x-rst"
                    break
        beside = Path(str(page.with_suffix(".rst.gz")).replace("/html/", "/Documentation/"))
        if beside.is_file():
            yield page, beside, "text/x-rst"
        for source in (page.with_suffix(".txt"), page.with_suffix(".adoc")):
            if source.is_file():
                yield page, source, "text/asciidoc"
                break


def kept(folder: Path) -> None:
    from lxml import html

    words, headings, seconds, size = [], [0, 0], 0.0, 0
    for page, source, media_type in pages(folder):
        tree = html.document_fromstring(page.read_bytes())
        mains = tree.xpath("//*[@role='main'] | //*[@id='content'] | //*[contains(@class, 'body')]") or [tree.body]
        main_part = mains[0]
        for noise in main_part.xpath(".//script | .//style | .//nav | .//*[contains(@class, 'headerlink')]"):
            noise.drop_tree()
        expected = Counter(WORD.findall(main_part.text_content().lower()))
        titles = [plain(each.text_content()) for each in main_part.xpath(".//h1 | .//h2 | .//h3 | .//h4")]
        data = content(source)
        began = time.perf_counter()
        try:
            parsed = installed_parsers().parse(Raw(data, source.name, media_type))
        except DocumentError:  # a page that only includes others
            continue
        if any("includes" in warning for warning in parsed.warnings):  # its HTML has what is in other files
            continue
        seconds += time.perf_counter() - began
        size += len(data)
        found = Counter(WORD.findall(parsed.text.lower()))
        if expected:
            words.append((expected & found).total() / expected.total())
        ours = Counter(plain(line) for line in re.findall(r"^#{1,6} (.*)", parsed.text, flags=re.MULTILINE))
        headings[0] += (Counter(titles) & ours).total()
        headings[1] += len(titles)
    if words:
        print("\n| files of | pages | words kept: median, worst tenth | headings kept | MB/s |\n|---|---|---|---|---|")
        tenth = statistics.quantiles(words, n=10)[0] if len(words) > 1 else words[0]
        share = headings[0] / max(headings[1], 1)
        print(
            f"| {folder.name} | {len(words):,} | {statistics.median(words):.3f}, {tenth:.3f} |"
            f" {share:.3f} of {headings[1]:,} | {size / 1e6 / max(seconds, 1e-9):.1f} |"
        )


def plain(title: str) -> str:
    return " ".join(WORD.findall(re.sub(r"^[\d.]+ ", "", title.strip()).lower()))


def messages(locales: Path, language: str) -> list[str]:
    """Collect what programs say in a language; every second message, in a random order that is always the same."""
    found = set()
    for path in sorted((locales / language / "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as file:
                catalogue = vars(gettext.GNUTranslations(file))["_catalog"]
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        found |= {
            unicodedata.normalize("NFC", each) for key, each in catalogue.items() if key and isinstance(each, str)
        }
    return sorted(found, key=lambda each: hashlib.md5(each.encode()).digest())[1::2]


def encodings(locales: Path) -> None:
    print("\n| language, encoding | short texts | right | wrong, not said | paragraphs | right | wrong, not said |")
    print("|---|---|---|---|---|---|---|")
    totals: Counter[tuple[int, str]] = Counter()
    for language, names in WRITTEN.items():
        some = [each for each in messages(locales, language) if sum(letter > "\x7f" for letter in each) > 1]
        short = [each for each in some if len(each) < 60][:150]
        paragraphs = ["\n".join(some[at : at + 10]) for at in range(0, 600, 10)]
        for name in names.split():
            row = []
            for number, texts in enumerate((short, paragraphs)):
                counts = tried(texts, name)
                totals.update({(number, key): count for key, count in counts.items()})
                row += [counts["all"], counts["right"], counts["silent"]]
            print(f"| {language}, {name} | {' | '.join(map(str, row))} |")
    print(
        f"| all | {' | '.join(str(totals[number, key]) for number in (0, 1) for key in ('all', 'right', 'silent'))} |"
    )


def tried(texts: list[str], name: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        try:
            data = text.encode(name)
        except UnicodeEncodeError:
            continue
        warnings: list[str] = []
        try:
            found = decode(data, "a.txt", warnings=warnings)
        except DocumentError:
            found, warnings = "", ["refused"]
        right = found == clean(text)
        counts.update({"all": 1, "right": right, "silent": not right and not warnings})
    return counts


if __name__ == "__main__":
    main()
