"""One walk through a page, without recursion: a page may be nested as deeply as it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["walk"]


def walk(
    root: Any, *, skips: Callable[[Any, Any], bool], start: Callable[[Any, Any], None],
    end: Callable[[Any, Any], None], text: Callable[[str | None], None],
) -> None:  # fmt: skip
    """Call `start` and `end` with each element and its tag, and `text` with what stands between them, in order.

    An element that `skips` says yes to is passed over with all below it.
    """
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    walker = etree.iterwalk(root, events=("start", "end"))
    skipped = None  # some of which lxml says the end, too
    for event, element in walker:
        tag = element.tag
        if event == "start":
            if skips(element, tag):
                walker.skip_subtree()
                skipped = element
                text(element.tail)
                continue
            start(element, tag)
            text(element.text)
        elif element is not skipped:
            end(element, tag)
            if element is not root:
                text(element.tail)
