"""What a page says about a picture: the words that stand with it, not those of its neighbour."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any, NamedTuple

__all__ = ["HEADINGS", "Around", "around", "figure_caption", "words"]

HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
PICTURES = frozenset(("img", "amp-img", "amp-anim", "video", "amp-video"))
# What the card of a product or an entry of a list is made of.
_CARDS = frozenset(
    ("a", "article", "button", "dd", "div", "dt", "figure", "label", "li", "section", "span", "td", "tr")
)
_WHOLE = frozenset(("body", "html", "main", "ol", "table", "ul"))
_SILENT = frozenset(("script", "style", "noscript", "template", "svg"))
_APART = frozenset(("br", "dd", "div", "dt", "li", "p", "td", "th", "tr", *HEADINGS))
_LONGEST = 300  # characters; what says more is an article that has a picture
_ELEMENTS = 200  # of a card
_HIGH = 8  # levels above a picture


class Around(NamedTuple):
    """What stands with a picture that has no words of its own.

    Attributes:
        caption: the heading of its card, else the words of the link or the card.
        heading: the level and title of its card's heading; None where the card has none.
        card: the element; None where there is none with words.
    """

    caption: str = ""
    heading: tuple[int, str] | None = None
    card: Any = None


def words(element: Any, most: int = 1000) -> str:
    """Return what is to be read in an element, in one line; at most so many characters of it."""
    found: list[str] = []
    length = 0
    for text in _texts(element):
        found.append(text)
        length += len(text)
        if length > 4 * most:
            break
    return " ".join("".join(found).split())[:most]


def figure_caption(element: Any) -> str:
    """Return the caption of the figure that an element is in; of nested ones of the inner."""
    figure = next((each for each in islice(element.iterancestors(), 30) if each.tag == "figure"), None)
    if figure is None:
        return ""
    captions = (each for each in islice(figure.iter(), 2000) if each.tag == "figcaption")
    mine = (each for each in captions if next(each.iterancestors("figure")) is figure)
    return next((text for each in mine if (text := words(each))), "")


def around(element: Any) -> Around:
    """Find what stands with a picture: the smallest link or card with words in it that holds no other picture."""
    link = ""
    for card in islice(chain([element], element.iterancestors()), _HIGH):
        if card.tag in _WHOLE:
            break
        if card.tag not in _CARDS:
            continue
        inside = list(islice(card.iter(), _ELEMENTS))
        if len(inside) == _ELEMENTS or _others(inside, element):
            break
        if card.tag == "a":
            link = link or card.get("aria-label", "").strip() or card.get("title", "").strip()
        text = words(card, _LONGEST + 1)
        if len(text) > _LONGEST:
            break
        if not text:
            continue
        headings = [each for each in inside if each.tag in HEADINGS and words(each)]
        heading = headings[0] if len(headings) == 1 else None
        if heading is None:
            if headings:
                break  # a part of a page, with parts of its own
            return Around(link or text, card=card)
        title = words(heading)
        return Around(title, (int(heading.tag[1]), title), card)
    return Around(link)


def _others(inside: list[Any], element: Any) -> bool:
    """Whether a card holds another picture; the same one for browsers without scripts is none."""
    for each in inside:
        if each is element or each.tag not in PICTURES:
            continue
        if next((up for up in islice(each.iterancestors(), 5) if up is element or up.tag == "noscript"), None) is None:
            return True
    return False


def _texts(element: Any) -> Any:
    """Stream the texts below an element without what no reader sees, and without recursion."""
    skipped = None
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    for event, each in etree.iterwalk(element, events=("start", "end")):
        if skipped is not None:
            if event == "end" and each is skipped:
                skipped = None
                if each is not element and each.tail:
                    yield each.tail
            continue
        if event == "start":
            if each.tag in _SILENT:
                skipped = each
                continue
            if each.tag in _APART:
                yield " "
            if each.text:
                yield each.text
        else:
            if each.tag in _APART:
                yield " "
            if each is not element and each.tail:
                yield each.tail
