"""Where an element of a page has its picture: attributes of lazy loading, `srcset`, `<picture>`, CSS backgrounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["MOST_WIDTH", "Choice", "background_of", "choose", "pixels", "place_of", "tidy", "video_of"]

# Pixels. No embedding model of ours limits them, but all limit bytes, and look at a picture at a megapixel or less. A
# photograph of 2,048 × 1,536 pixels is a JPEG of 0.5 to 1.5 MB; the smallest limit of a model is 3 MiB.
MOST_WIDTH = 2048

_LAZY = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-original-src", "data-hi-res-src")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set")
_LAZY_BACKGROUNDS = ("data-bg", "data-background-image", "data-background", "data-bgset")
_BLANKS = re.compile(r"[\t\n\r]")
_CANDIDATE = re.compile(r"[\s,]*(?P<url>\S+)(?P<descriptor>[^,]*),?")
_DESCRIPTOR = re.compile(r"(?P<number>\d{1,7}(?:\.\d{1,4})?)(?P<unit>[wx])")
_PIXELS = re.compile(r"\s*(\d{1,5})(?:\.\d+)?\s*(?:px)?\s*")
_URL = re.compile(r"url\(\s*(?:\"([^\"]*)\"|'([^']*)'|([^)\s\"']*))\s*\)", re.IGNORECASE)
_BACKGROUND = re.compile(r"(?:^|;)\s*background(?:-image)?\s*:", re.IGNORECASE)
# `{width}` of online shops, with the widths there are beside it; other braces are a template nobody has filled in.
_WIDTH_HOLE = re.compile(r"\{width\}|%7bwidth%7d", re.IGNORECASE)
_TEMPLATE = re.compile(r"(?!data:)[^{}<>]*[{}<>]", re.IGNORECASE)
_PLAIN_TYPES = ("", "image/jpeg", "image/jpg", "image/png")


class Choice(NamedTuple):
    """Where a picture is, and whether a script would have put it there."""

    url: str
    lazy: bool = False


class _Candidate(NamedTuple):
    url: str
    width: float = 0.0  # pixels, 0 where unknown
    density: float = 1.0


def tidy(url: str) -> str:
    """Take out of an address what browsers take out: blanks around it, tabs and line ends inside."""
    return _BLANKS.sub("", url.strip())


def pixels(value: str | None) -> int | None:
    """Read a width or height of an attribute; None for what is not in pixels."""
    found = _PIXELS.fullmatch(value or "")
    return int(found[1]) if found else None


def choose(element: Any) -> Choice:
    """Pick the best address of an `<img>` or `<amp-img>`, which may be in a `<picture>`; empty where it has none.

    Of several sizes it is the largest of at most `MOST_WIDTH` pixels, else the smallest. What a script would load
    counts before `src`, which holds a placeholder then. A `<source>` counts where the `<img>` has nothing, or where it
    says that it is wider; one for other screens (`media`) only in the first case, since it may show something else.
    """
    own = list(_own(element.attrib))
    lazy = any(name in element.attrib for name in (*_LAZY, *_LAZY_SETS))
    place = place_of(element)
    sources = place.iter("source") if place is not element else ()
    others = [(source, list(_own(source.attrib))) for source in sources]
    best = _best(own)
    real = best is not None and best.url[:5].lower() != "data:"
    for source, candidates in sorted(others, key=lambda each: each[0].get("type", "").lower() not in _PLAIN_TYPES):
        other = _best(candidates)
        wider = other is not None and best is not None and best.width < other.width <= MOST_WIDTH
        if other is not None and (not real or (wider and not source.get("media"))):
            best, real = other, True
            lazy |= any(name in source.attrib for name in _LAZY_SETS)
    return Choice(best.url, lazy) if best is not None else Choice("")


def place_of(element: Any) -> Any:
    """Return the `<picture>` that an `<img>` is in, else itself; lxml takes a `<source>` for what holds the rest."""
    up = element.getparent()
    while up is not None and up.tag == "source":
        up = up.getparent()
    return up if up is not None and up.tag == "picture" else element


def video_of(attributes: Mapping[str, str]) -> str:
    """Return the address of a `<video>` or of a `<source>` in one."""
    return next((url for name in ("src", *_LAZY) if (url := tidy(attributes.get(name, "")))), "")


def background_of(attributes: Mapping[str, str]) -> str:
    """Return the address of an element's background, where its style or an attribute for scripts names one."""
    for name in _LAZY_BACKGROUNDS:
        value = attributes.get(name, "")
        found = _URL.search(value)
        url = next(filter(None, found.groups()), "") if found else ("" if name == "data-background" else value)
        best = _best(list(_parsed(url))) if name == "data-bgset" else None
        if url := tidy(best.url if best is not None else url):
            return "" if _TEMPLATE.match(url) else url
    style = attributes.get("style", "")
    begins = _BACKGROUND.search(style)
    found = _URL.search(style, begins.end()) if begins else None
    return tidy(next(filter(None, found.groups()), "")) if found else ""


def _own(attributes: Mapping[str, str]) -> Iterator[_Candidate]:
    """List what an element names itself, for scripts if it does; `srcset` before `src`, as browsers do."""
    shown = pixels(attributes.get("width")) or 0
    any_found = False
    for names, sets in ((_LAZY, _LAZY_SETS), (("src",), ("srcset",))):
        for name in sets:
            for each in _parsed(attributes.get(name, "")):
                any_found = True
                yield each._replace(width=each.width or (shown * each.density if each.density > 1 else 0.0))
        for name in names:
            url = tidy(attributes.get(name, ""))
            if _WIDTH_HOLE.search(url):
                for width in re.findall(r"\d{2,5}", attributes.get("data-widths", "")):
                    any_found = True
                    yield _Candidate(_WIDTH_HOLE.sub(width, url), float(width))
            elif url and not _TEMPLATE.match(url):
                any_found = True
                yield _Candidate(url)
        if any_found:
            return


def _parsed(srcset: str) -> Iterator[_Candidate]:
    """Read a `srcset`: addresses with `640w`, `2x` or nothing behind them.

    `sizes` is not read: it says how wide a page shows the picture, from which a browser finds the candidate that is
    enough for its screen. `640w` is the width of the file itself, whatever `sizes` says, and the largest within our
    limit is wanted. How many bytes a candidate has no page says; they are checked when it has been fetched.
    """
    at = 0
    while found := _CANDIDATE.match(srcset, at):
        url, at = found["url"], found.end()
        if url.endswith(","):  # a comma right behind an address ends it: it has no descriptor
            at = found.end("url")
            url = url.rstrip(",")
            descriptor = None
        else:
            descriptor = _DESCRIPTOR.search(found["descriptor"])
        if not url or _TEMPLATE.match(url):
            continue
        number = float(descriptor["number"]) if descriptor else 1.0
        if descriptor and descriptor["unit"] == "w":
            yield _Candidate(url, width=number)
        else:
            yield _Candidate(url, density=number)


def _best(candidates: list[_Candidate]) -> _Candidate | None:
    named = [each for each in candidates if each.url[:5].lower() != "data:"] or candidates
    if not named:
        return None
    fitting = [each for each in named if each.width <= MOST_WIDTH]
    if not fitting:
        return min(named, key=lambda each: each.width)
    # Of those that say nothing the first.
    return max(fitting, key=lambda each: (each.width, each.density))
