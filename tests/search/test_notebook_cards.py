"""What notebooks show of hits, plans and reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from files import write

from relance.index import Index
from relance.pipeline.plan import Plan
from relance.pipeline.report import Report
from relance.search import Hit, Hits
from relance.search.media import MediaHit
from relance.store.failures import Failure

EVIL = '<img src=x onerror="alert(1)"> & </div><script>alert(2)</script> \u202e'


class Page(HTMLParser):
    """Reads a card as a browser does: its elements, its text, its links."""

    def __init__(self, card: str) -> None:
        super().__init__()
        self.text, self.open, self.seen, self.links = "", [], set(), []
        self.feed(card)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        assert {name for name, _ in attrs} <= {"class", "style", "scope", "href", "target", "rel"}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(thing: Any) -> Page:
    return Page(thing._repr_html_())


def hit(**values: Any) -> Hit:
    usual: dict[str, Any] = {"uri": "docs/a.md", "title": "", "heading_path": [], "text": "The ferry.", "start": 0, "end": 10, "score": 3.0,
             "page": None, "page_end": None, "seq": 0, "media_type": "text/markdown", "metadata": {}, "snippet": (0, 10)}  # fmt: skip
    return Hit(**(usual | values))


def picture(**values: Any) -> MediaHit:
    usual: dict[str, Any] = {
        name: None for name in MediaHit.__dataclass_fields__ if name not in {"found_by", "highlights", "explained"}
    }
    usual |= {"url": "pics/a.png", "kind": "image", "caption": "An old barn", "relevance": 0.5}
    return MediaHit(**(usual | values))


def test_hits_say_where_they_are_from_and_mark_what_was_found() -> None:
    found = hit(heading_path=["Harbour", "Times"], page=3, page_end=4, line=7, line_end=7, relevance=0.567, further=1,
                text="At nine the ferry leaves.", snippet=(8, 25), highlights=[(12, 17)])  # fmt: skip
    card = shown(Hits(Hit, [found], more=True))
    assert "1 hit, and there are more" in card.text
    assert "docs/a.md 0.57 · Harbour › Times · pages 3–4 · line 7 · 1 more chunk of this document" in card.text
    assert "the ferry leaves." in card.text
    assert "At nine" not in card.text, "outside of the snippet"
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", Hits(Hit, [found])._repr_html_()) == ["ferry"]


@pytest.mark.parametrize(("number", "title"), [(0, "0 hits"), (1, "1 hit"), (2, "2 hits"), (1200, "1,200 hits")])
def test_hits_are_counted(number: int, title: str) -> None:
    card = shown(Hits(Hit, [hit()] * number))
    assert card.text.startswith(title)
    assert card.text.count("docs/a.md") == min(number, 20)
    assert ("… and 1,180 more on this page" in card.text) == (number == 1200)


@pytest.mark.parametrize(("number", "title"), [(0, "0 images and videos"), (1, "1 image or video"), (2, "2 images")])
def test_media_are_counted(number: int, title: str) -> None:
    card = shown(Hits(MediaHit, [picture(kind="video", moment_s=65.0)] * number))
    assert card.text.startswith(title)
    assert card.text.count("An old barn") == card.text.count("0.50 · video · at 1:05") == number


def test_nothing_of_a_document_becomes_markup() -> None:
    texts = Hits(
        Hit, [hit(uri=EVIL, title=EVIL, heading_path=[EVIL], text=EVIL, snippet=(0, 200), highlights=[(1, 4)])]
    )
    media = Hits(MediaHit, [picture(url=EVIL, caption=EVIL, kind=EVIL, highlights=[(1, 4)])])
    failures = [Failure(EVIL, EVIL, "load")]
    plan = Plan(EVIL, notes=[EVIL], failed=1, failures=failures, media=Plan(EVIL))
    report = Report(EVIL, "run", status=EVIL, notes=[EVIL], failed=1, failures=failures, warned=1, warnings=failures,
                    ignored={EVIL: {"files": 1, "folders": 0, "kinds": {EVIL: 1}, "examples": []}})  # fmt: skip
    for each in (texts, media, plan, report):
        card = shown(each)
        assert "<script>alert(2)</script>" in card.text
        assert "\\u202e" in card.text
        assert card.seen <= {"div", "strong", "table", "tr", "th", "td", "details", "summary", "span", "mark"}
        assert card.links == []


def test_only_pages_are_links_and_passwords_are_not_shown() -> None:
    def links(link: str) -> list[str]:
        return shown(Hits(Hit, [hit(link=link)])).links

    assert links("https://host/a?b=1&c=\"'#L3") == ["https://host/a?b=1&c=\"'#L3"]
    assert (
        links("javascript:alert(1)")
        == links("data:text/html,x")
        == links("file:///etc/passwd")
        == links("http://[")
        == []
    )
    secret = Hits(Hit, [hit(uri="https://me:hunter2@host/a", link="https://me:hunter2@host/a")])._repr_html_()
    assert "hunter2" not in secret


def test_spans_that_do_not_fit_lose_no_text() -> None:
    card = shown(Hits(Hit, [hit(snippet=(4, 10), highlights=[(0, 3), (4, 9), (8, 400)])]))
    assert card.text.rstrip().endswith("ferry.")


def test_a_plan_and_a_report_of_a_real_run(make_index: Callable[..., Index], docs: Path) -> None:
    index = make_index()
    write(docs, "a.md", "The ferry leaves at nine.")
    plan = shown(index.plan())
    assert "notes: the plan is 1 added" in plan.text
    assert "1, of which 0 have a vector already" in plan.text
    assert "+ 1 document: new" in plan.text
    assert "docs/a.md" in plan.text or "a.md" in plan.text
    report = shown(index.ingest())
    assert "notes: completed" in report.text
    assert "1 added, 0 unchanged" in report.text
    assert re.search(r"for \d+ tokens in 1 request$", report.text.partition("cost")[2].partition("time")[0])
    assert "notes: nothing to do" in shown(index.plan()).text
    (docs / "bad.md").write_bytes(bytes(range(256)))
    failed = shown(index.ingest())
    assert "nothing changed, 1 unchanged" in failed.text
    assert re.search(r"1 failure1 × \S", failed.text)


def test_many_failures_are_told_by_their_most_frequent_reasons() -> None:
    failures = [Failure(f"{n}.md", f"reason {n % 7}", "load") for n in range(2000)]
    card = shown(Report("notes", "run", failed=2000, failures=failures))
    assert "2,000 failures" in card.text
    assert "286 × reason 0" in card.text
    assert "… and 2 other reasons" in card.text
    assert len(card.text) < 500


def test_colours_read_on_dark_and_light(make_index: Callable[..., Index]) -> None:
    """No colour is fixed but with an alpha, on the notebook's own background."""
    card = Hits(Hit, [hit(highlights=[(0, 3)])])._repr_html_() + Plan("notes")._repr_html_()
    assert set(re.findall(r"(?:color|background)\s*:\s*([^;\"]+)", card)) <= {"none", "inherit", "rgba(255,190,0,.35)"}
    assert "#" not in card
