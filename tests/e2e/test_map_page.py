"""The map in a real browser: what a person does with it, and that no document does anything. Screenshots are kept where RELANCE_SCREENSHOTS says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relance.analysis.cluster import Central, Cluster, Clusters, cluster
from relance.analysis.map_page import map_page, write_page
from relance.analysis.points import Described
from relance.config import IndexSpec
from relance.index import Index

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


HOSTILE = {
    "1.md": "</script><script>document.title='owned'</script>",
    "2.md": "<img src=x onerror=\"document.title='owned'\">",
    "3.md": '"><svg onload="document.title=`owned`">',
    "4.md": "<!--<script>document.title='owned'//",
    "5.md": "[click](javascript:document.title='owned')",
}
TOPICS = {
    "sailing": "boat harbour mast sail anchor deck rudder tide",
    "baking": "bread oven crust flour dough yeast loaf sourdough",
    "铁路": "火车 车站 铁路 月台 旅客 列车 车票 隧道",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three topics and five documents that mean harm, and its map."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("map")
    for topic, words in TOPICS.items():
        (folder / "docs" / topic).mkdir(parents=True)
        for number in range(12):
            text = " ".join(rng.choice(words.split(), 7, replace=False))
            path = folder / "docs" / topic / f"{number}.md"
            path.write_text(f"# {topic} {number}\n\n{text} {topic}.\n", encoding="utf-8")
    (folder / "docs" / "hostile").mkdir()
    for name, title in HOSTILE.items():
        text = f"---\ntitle: {title!r}\n---\n\n{title} boat harbour mast\n"
        (folder / "docs" / "hostile" / name).write_text(text, encoding="utf-8")
    declared = {
        "name": "notes",
        "sources": [{"type": "files", "root": "docs"}],
        "embedding": {"model": "fake/hash", "dimension": 256},
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared))
    index.ingest()
    (folder / "map.html").write_text(map_page(index, cluster(index, k=3)), encoding="utf-8")
    return folder


class Opened:
    """A page, and what it asked for and complained about."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("dialog", lambda dialog: self.problems.append(dialog.message))
        page.goto((folder / "map.html").as_uri())
        page.get_by_text("documents", exact=False).first.wait_for()
        page.wait_for_timeout(300)  # drawn in the next frame

    def shown(self) -> int:
        return int(re.match(r"[\d,]+", self.page.locator("#shown").inner_text())[0].replace(",", ""))

    def pixels(self) -> str:
        self.page.wait_for_timeout(150)
        return self.page.evaluate("document.getElementById('map').toDataURL()")

    def find_a_point(self) -> tuple[float, float]:
        """Move the mouse over the map until something is told."""
        box = self.page.locator("#map").bounding_box()
        for y in range(20, int(box["height"]) - 20, 12):
            for x in range(20, int(box["width"]) - 20, 12):
                self.page.mouse.move(box["x"] + x, box["y"] + y)
                if self.page.locator("#tip").is_visible():
                    return box["x"] + x, box["y"] + y
        pytest.fail("there is no point on the map")

    def screenshot(self, name: str, tmp_path: Path) -> None:
        pictures = Path(os.environ.get("RELANCE_SCREENSHOTS") or tmp_path / "screenshots")
        pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=pictures / f"{name}.png")


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desktop", "phone"])
def opened(request: pytest.FixtureRequest, browser: Any, folder: Path) -> Iterator[Opened]:
    scheme, width = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, has_touch=width < 500, is_mobile=width < 500
    )
    opened = Opened(context.new_page(), folder)
    yield opened
    assert opened.page.title() == "Map of notes", "a document's script ran"
    assert not opened.problems
    assert {url.partition(":")[0] for url in opened.requests} <= {"file", "data"}
    assert [url for url in opened.requests if url.startswith("file")] == [(folder / "map.html").as_uri()]
    context.close()


def test_hovering_tells_and_choosing_shows(opened: Opened, tmp_path: Path) -> None:
    x, y = opened.find_a_point()
    told = opened.page.locator("#tip strong").inner_text()
    assert told
    opened.page.mouse.click(x, y)
    assert opened.page.locator("#chosen h3").inner_text() == told
    assert opened.page.locator("#chosen code").inner_text().startswith("docs/")
    opened.screenshot(f"map-{opened.page.viewport_size['width']}", tmp_path)
    opened.page.locator("#map").press("Escape")
    assert opened.page.locator("#chosen").is_hidden()


def test_zoom_and_move_by_wheel_mouse_buttons_and_keys(opened: Opened) -> None:
    seen = [opened.pixels()]
    box = opened.page.locator("#map").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def changed() -> None:
        seen.append(opened.pixels())
        assert seen[-1] != seen[-2]

    if opened.page.viewport_size["width"] > 500:
        opened.page.mouse.move(*middle)
        opened.page.mouse.wheel(0, -600)
        changed()
    opened.page.mouse.move(*middle)
    opened.page.mouse.down()
    opened.page.mouse.move(middle[0] + 90, middle[1] + 40, steps=4)
    opened.page.mouse.up()
    changed()
    assert opened.page.locator("#chosen").is_hidden(), "a drag is no click"
    opened.page.get_by_label("Zoom in").click()
    changed()
    for key in ("0", "ArrowLeft"):
        opened.page.locator("#map").press(key)
        changed()
    opened.page.locator("#map").press("-")
    changed()
    opened.page.locator("#map").press("0")
    opened.page.mouse.move(0, 0)
    assert opened.pixels() == seen[0]


def test_filters_by_words_cluster_and_source(opened: Opened) -> None:
    page, everything = opened.page, 3 * 12 + len(HOSTILE)
    before = opened.pixels()
    assert opened.shown() == everything
    page.locator("#words").fill("铁路 月台")
    assert 0 < opened.shown() <= 12
    assert "铁路" in page.locator("#list button").first.inner_text()
    assert opened.pixels() != before
    page.locator("#words").fill("")
    page.locator("#source").select_option("docs/baking")
    assert opened.shown() == 12
    page.locator("#source").select_option("")
    first = page.locator("#legend button").first
    first.click()
    assert opened.shown() == int(first.locator(".count").inner_text())
    pressed = page.locator("#legend button[aria-pressed='true']")
    assert pressed.count() == 1
    page.locator("#every").click()
    assert opened.shown() == everything
    page.locator("#words").fill("nothing is called that")
    assert opened.shown() == 0


def test_keyboard_and_list_reach_every_document(opened: Opened) -> None:
    page = opened.page
    page.locator("#map").focus()
    for _ in range(3):
        page.keyboard.press("n")
    third = page.locator("#chosen h3").inner_text()
    page.keyboard.press("p")
    assert page.locator("#chosen h3").inner_text() != third
    rows = page.locator("#list button")
    assert rows.count() == 3 * 12 + len(HOSTILE)
    rows.nth(2).press("Enter")
    assert page.locator("#chosen h3").inner_text() == third
    assert third in page.locator("#status").inner_text()


def test_hostile_documents_are_texts(opened: Opened) -> None:
    page = opened.page
    page.locator("#source").select_option("docs/hostile")
    assert opened.shown() == len(HOSTILE)
    for row in range(len(HOSTILE)):
        page.locator("#list button").nth(row).click()
        assert page.locator("#chosen h3").inner_text().strip()
        assert page.locator("#chosen a").count() == 0
        assert page.locator("#chosen img, #chosen svg, #chosen script").count() == 0
    assert page.locator("script").count() == 2


def test_the_page_is_no_wider_than_the_screen(opened: Opened) -> None:
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_addresses_are_links_only_if_they_are_https(browser: Any, tmp_path: Path) -> None:
    page = large(browser, tmp_path, 4, ["https://example.org/a", "javascript:alert(1)", "//x/y", "data:,x"])
    for row in range(4):
        page.locator("#list button").nth(row).click()
        links = page.locator("#chosen a")
        assert links.count() == (1 if row == 0 else 0)
        if row == 0:
            assert links.get_attribute("href") == "https://example.org/a"
            assert links.get_attribute("rel") == "noopener noreferrer"
    page.close()


def test_links_to_files_are_relative_and_nothing_else(browser: Any, tmp_path: Path) -> None:
    given = [
        "docs/a%20b.md",
        "../x.md",
        "javascript:alert(1)",
        "//x/y",
        "/etc/passwd",
        "data:,x",
        "a:b",
        "a.md?b",
        "a b",
    ]
    page = large(browser, tmp_path, len(given), given, file_link=lambda uri: uri)
    for row, address in enumerate(given):
        page.locator("#list button").nth(row).click()
        links = page.locator("#chosen a")
        assert [link.get_attribute("href") for link in links.all()] == ([address] if row < 2 else [])
    page.close()


def test_a_file_opens_from_the_map(browser: Any, folder: Path) -> None:
    index = Index(IndexSpec.model_validate({
        "name": "notes", "sources": [{"type": "files", "root": "docs"}], "store": {"uri": "db"}, "folder": folder,
        "embedding": {"model": "fake/hash", "dimension": 256},
    }))  # fmt: skip
    (folder / "pages").mkdir()
    write_page(index, cluster(index, k=3), folder / "pages" / "map.html")
    context = browser.new_context()
    page = context.new_page()
    page.goto((folder / "pages" / "map.html").as_uri())
    page.locator("#words").fill("铁路 3")
    page.locator("#list button").first.click()
    with context.expect_page() as opened:
        page.get_by_role("link", name="Open the source").click()
    assert opened.value.url == (folder / "docs" / "铁路" / "3.md").as_uri()
    context.close()


def test_labels_that_would_cover_each_other_are_moved(browser: Any, tmp_path: Path) -> None:
    named = ["one", "two", "three", "four"]
    clusters = [Cluster(at, 1, name, [name], 0.9, [Central("0", "a", "a", 1.0)]) for at, name in enumerate(named)]
    found = Clusters(
        "near", "documents", "kmeans", None, "t", 1, 4, 0.5, "tsne", clusters, named, named,
        np.arange(4, dtype=np.int32), np.zeros(4, np.float32), np.full((4, 2), 0.1, np.float32),
    )  # fmt: skip
    index: Any = None
    (tmp_path / "map.html").write_text(map_page(index, found, describe=lambda *_: {}), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    page.add_init_script(
        """window.written = []; const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
            window.written.push([text, y]); write.call(this, text, x, y); };"""
    )
    page.goto((tmp_path / "map.html").as_uri())
    page.locator("#list button").first.wait_for()
    page.wait_for_timeout(300)  # drawn in the next frame
    heights = dict(page.evaluate("window.written"))
    assert set(heights) == set(named)
    assert min(abs(a - b) for a in heights.values() for b in heights.values() if a != b) >= 18
    assert len(set(heights.values())) == 4
    page.close()


def test_twenty_thousand_points_can_be_used(
    browser: Any, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """No bound is asserted on the time of a frame, which depends on the machine; it is recorded."""
    page = large(browser, tmp_path, 20_000, ["docs/a.md"])
    took = page.evaluate(
        """async () => {
            const map = document.getElementById('map'), frame = () => new Promise(requestAnimationFrame);
            const box = map.getBoundingClientRect(), began = performance.now();
            for (let i = 0; i < 20; i++) {
                map.dispatchEvent(new WheelEvent('wheel', { deltaY: i % 2 ? 120 : -120, clientX: 300, clientY: 300 }));
                await frame(); await frame();
            }
            const zooming = (performance.now() - began) / 20, since = performance.now();
            for (let i = 0; i < 500; i++) map.dispatchEvent(new PointerEvent('pointermove',
                { clientX: box.left + 50 + i, clientY: box.top + 300, pointerId: 1 }));
            return { zooming, hovering: (performance.now() - since) / 500 };
        }"""
    )
    record_property("milliseconds", took)
    assert page.locator("#shown").inner_text().startswith("20,000 of 20,000")
    page.close()


def large(
    browser: Any, tmp_path: Path, n: int, uris: list[str],
    file_link: Callable[[str], str] | None = None,
) -> Any:  # fmt: skip
    """Open a map of so many made up points."""

    def describe(_index: Any, _level: Any, ids: Sequence[str]) -> dict[str, Described]:
        return {name: Described(name, "", f"Document {name}", "A few words. " * 8, [], "", {}) for name in ids}

    rng = np.random.default_rng(0)
    groups = 12
    belongs = (np.arange(n) % groups).astype(np.int32)
    centres = rng.uniform(-0.8, 0.8, (groups, 2))
    clusters = [
        Cluster(at, int((belongs == at).sum()), f"topic {at}", [f"topic {at}"], 0.9, [Central("0", "a", "a", 1.0)])
        for at in range(groups)
    ]
    positions = (centres[belongs] + rng.normal(0, 0.08, (n, 2))).astype(np.float32)
    found = Clusters(
        "large", "documents", "kmeans", None, "t", 1, n, 0.5, "tsne", clusters, [str(at) for at in range(n)],
        [uris[at % len(uris)] for at in range(n)], belongs, np.zeros(n, np.float32), positions,
    )  # fmt: skip
    path = tmp_path / "large.html"
    index: Any = None
    path.write_text(map_page(index, found, file_link=file_link, describe=describe), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    page.goto(path.as_uri())
    page.locator("#list button").first.wait_for()
    return page
