"""The page to look at an index, in a real browser: what people do there, at a desk and on a phone, and what attacks do.

Screenshots are kept where RELANCE_SCREENSHOTS says.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from relance.config import IndexSpec
from relance.config.load import load_spec
from relance.documents import document_id
from relance.explore import running
from relance.index import Index
from relance_emulator import EmulatorConfig
from relance_emulator import running as emulating

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
# What every page of ours has to have, and how much its words have to stand out (WCAG 2.2 AA), told by the browser.
AUDIT = r"""() => {
  const problems = [], all = (query) => [...document.querySelectorAll(query)];
  const seen = (each) => each.getClientRects().length > 0;
  if (document.documentElement.lang !== "en") problems.push("no language");
  if (all("main").length !== 1) problems.push("not one main");
  if (all("h1").length !== 1) problems.push("not one h1");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4").filter(seen)) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push(`after h${level} comes ${heading.outerHTML.slice(0, 60)}`);
    level = next;
  }
  const ids = all("[id]").map((each) => each.id);
  if (new Set(ids).size !== ids.length) problems.push("an id twice");
  for (const field of all("input:not([type=hidden]), select, textarea"))
    if (!field.labels.length && !field.ariaLabel) problems.push(`no label: ${field.outerHTML}`);
  for (const each of all("a, button"))
    if (!(each.innerText || each.textContent).trim() && !each.ariaLabel && !each.querySelector("img[alt]"))
      problems.push(`no name: ${each.outerHTML.slice(0, 80)}`);
  for (const image of all("img")) if (!image.alt) problems.push(`no words for ${image.src}`);
  for (const each of all("nav, section[aria-labelledby], [role=region]"))
    if (!each.ariaLabel && !each.getAttribute("aria-labelledby")) problems.push(`unnamed ${each.tagName}`);
  for (const each of all("[aria-labelledby], [aria-describedby]"))
    for (const id of `${each.getAttribute("aria-labelledby") || ""} ${each.getAttribute("aria-describedby") || ""}`.split(" "))
      if (id && !document.getElementById(id)) problems.push(`nothing is called ${id}`);
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
  const colour = (value, under) => {
    pen.fillStyle = `rgb(${under})`; pen.fillRect(0, 0, 1, 1); pen.fillStyle = value; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    const chain = []; for (let at = each; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
    return chain.reduce((under, value) => colour(value, under), [255, 255, 255]);
  };
  for (const each of all("body *")) {
    const words = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || !seen(each) || each.closest(".unseen, svg, video, .off, .skip")) continue;
    const style = getComputedStyle(each), under = behind(each);
    if (style.visibility === "hidden") continue;
    const [a, b] = [luminance(colour(style.color, under)), luminance(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)}: ${each.outerHTML.slice(0, 90)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the window");
  return problems;
}"""

# Whether what has the focus shows it: itself, the frame around it, or the label it stands in.
FOCUS = r"""() => {
  const at = document.activeElement;
  return [at, at.closest(".field"), at.closest(".segments") && at.nextElementSibling].filter(Boolean).some((each) => {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.bottom > 0;
  });
}"""


class Looked:
    """What a browser saw while somebody looked around."""

    def __init__(self, context: Any, pictures: Path, size: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self._pictures, self._size = pictures, size
        context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def keep(self, name: str) -> None:
        """Keep a picture of the page, and find nothing wrong with it."""
        assert self.page.evaluate(AUDIT) == [], f"{name} on a {self._size}"
        # What is loaded when it comes into sight has to come into sight before the picture is taken.
        self.page.evaluate("document.querySelectorAll('img').forEach((each) => { each.loading = 'eager' })")
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._pictures / f"explore-{name}-{self._size}.png", full_page=True)

    def stayed_here(self) -> None:
        """Nothing left this machine, and nothing ran."""
        assert not [url for url in self.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
        assert (self.dialogs, self.errors) == ([], [])


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Looked]]:
    pictures = Path(os.environ.get("RELANCE_SCREENSHOTS") or tmp_path / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def open_one(size: str, **options: Any) -> Looked:
            width, height = SIZES[size]
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            return Looked(context, pictures, size + ("-dark" if options.get("color_scheme") == "dark" else ""))

        yield open_one


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example with one file that cannot be read, being looked at."""
    folder = tmp_path_factory.mktemp("example") / "handbook"
    shutil.copytree(EXAMPLES / "handbook", folder, ignore=shutil.ignore_patterns("lancedb"))
    (folder / "docs" / "scan.docx").write_bytes(b"torn")
    index = Index(folder)
    index.ingest()
    with running(index) as address:
        yield address


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example with pictures, being looked at."""
    folder = tmp_path_factory.mktemp("example") / "gallery"
    shutil.copytree(EXAMPLES / "gallery", folder, ignore=shutil.ignore_patterns("lancedb"))
    with emulating(EmulatorConfig(files=folder)) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GALLERY_URL", f"{url}/files")
            spec = load_spec(folder)
        assert spec.media is not None
        here = {"base_url": f"{url}/api/v1"}
        media = spec.media.model_copy(update={"embedding": spec.media.embedding.model_copy(update=here)})
        index = Index(spec.model_copy(update={"embedding": spec.embedding.model_copy(update=here), "media": media}))
        index.ingest()
        with running(index) as address:
            yield address


def ask(page: Any, words: str) -> None:
    """Ask a question, and wait for the answer."""
    page.get_by_role("searchbox", name="Search").first.fill(words)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("size", SIZES)
def test_somebody_finds_what_they_look_for(look: Callable[..., Looked], handbook: str, size: str) -> None:
    looked = look(size)
    page = looked.page
    page.goto(handbook)
    assert "token" not in page.url, "the token does not stay in the address"
    looked.keep("front")

    ask(page, "Why were mayors phoned nine times?")
    first = page.locator(".hit").first
    assert "incident-saone-2023" in first.inner_text()
    assert first.locator("mark").count() > 0
    looked.keep("search")

    page.get_by_text("Filters and ways to search").click()
    page.get_by_label("Filter", exact=True).fill("year >= 2020 and")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("alert").wait_for()
    page.screenshot(path=looked._pictures / f"explore-filter-{size}.png", full_page=True)
    looked.errors.clear()  # the browser calls the answer 400 an error
    page.get_by_label("Filter", exact=True).fill("")
    page.get_by_label("Folder").fill("docs/zh")
    page.get_by_label("Dense").check()
    page.get_by_role("button", name="Apply").click()
    page.locator(".hit").first.wait_for()
    assert all("docs/zh/" in text for text in page.locator(".hit").all_inner_texts())
    looked.keep("filtered")

    page.goto(page.url.partition("?")[0] + "?q=Why+were+mayors+phoned+nine+times%3F")
    page.locator(".hit h3 a").first.click()
    page.get_by_role("heading", level=1, name="Review: doubled alarms").wait_for()
    assert page.locator(".chunk:target").count() == 1, "the passage that answers is where the page begins"
    looked.keep("document")
    page.get_by_role("link", name="More like this").click()
    page.locator(".hit").first.wait_for()
    assert "incident-saone-2023" not in page.locator(".hits").inner_text()
    looked.keep("like")

    for name in ("Documents", "Failures", "Runs", "Status"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        page.get_by_role("heading", level=1, name=name).wait_for()
        looked.keep(name.lower())
        if name == "Failures":
            assert "scan.docx" in page.locator("tbody").inner_text()
        if name == "Runs":
            page.locator("tbody a").first.click()
            looked.keep("run")
    looked.stayed_here()


@pytest.mark.parametrize("size", SIZES)
def test_pictures_and_films_are_seen(look: Callable[..., Looked], gallery: str, size: str) -> None:
    looked = look(size)
    page = looked.page
    page.goto(gallery)
    looked.keep("gallery")
    ask(page, "a red building in white snow")
    assert "barn" in (page.locator(".tile img").first.get_attribute("alt") or "")
    looked.keep("gallery-search")
    page.locator(".tile .frame").first.click()
    page.locator("img.large").wait_for()
    assert page.locator("img.large").evaluate("each => each.decode().then(() => each.naturalWidth)") > 100
    looked.keep("picture")
    page.goto(page.url.partition("/media/")[0] + f"/media/{document_id('catalog.csv#sunrise')}")
    # Waiting in the page itself would be an `eval`, which its policy refuses.
    page.locator("video").evaluate(
        "each => each.readyState || new Promise((r) => { each.onloadedmetadata = () => r() })"
    )
    assert page.locator("video").evaluate("each => each.duration") > 1
    looked.keep("film")
    looked.stayed_here()


@pytest.mark.parametrize("size", SIZES)
def test_the_map_is_drawn_when_asked_for(look: Callable[..., Looked], handbook: str, size: str) -> None:
    pytest.importorskip("sklearn")
    looked = look(size)
    page = looked.page
    page.goto(handbook)
    page.get_by_role("link", name="Map").click()
    if page.get_by_role("button", name="Draw the map").count():
        looked.keep("map-before")
        page.get_by_role("button", name="Draw the map").click()
    page.get_by_role("heading", name="Groups").wait_for(timeout=120_000)
    assert page.locator(".groups .card").count() >= 2
    looked.keep("map")
    page.get_by_role("link", name="Open the map").click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=looked._pictures / f"explore-map-view-{size}.png")
    looked.stayed_here()


def test_it_is_used_with_the_keyboard_alone(look: Callable[..., Looked], handbook: str) -> None:
    page = look("desktop").page
    page.goto(handbook)
    assert page.evaluate("document.activeElement.id") == "q", "one can begin to type"
    page.keyboard.type("pump")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator(".hit").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "what is reached first leads past the menu"
    assert page.locator(".skip").bounding_box()["y"] >= 0, "and is seen"
    page.keyboard.press("Enter")
    order = []
    for _ in range(40):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
        if order[-1].startswith("<body"):  # the end, from where it begins again
            break
        assert page.evaluate(FOCUS), order[-1]
    assert any('name="q"' in each for each in order)
    first = next(number for number, each in enumerate(order) if each.startswith('<a href="/documents/'))
    assert first < 10, "an answer is not far from the question"


@pytest.mark.parametrize("size", SIZES)
def test_it_is_dark_where_the_reader_wants_it(look: Callable[..., Looked], handbook: str, size: str) -> None:
    looked = look(size, color_scheme="dark", reduced_motion="reduce")
    looked.page.goto(handbook)
    assert looked.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 19, 21)"
    assert looked.page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration") == "0s"
    looked.keep("front")
    home = handbook.partition("/?")[0]
    for path in ("?q=水位传感器&explain=1", "documents", "failures", "runs", "status", "map"):
        looked.page.goto(f"{home}/{path}")
        looked.keep(f"{path.strip('?').partition('=')[0]}")
    looked.page.goto(f"{home}/documents")
    looked.page.locator("tbody a").first.click()
    looked.page.locator(".chunk").first.wait_for()
    looked.keep("document")
    looked.stayed_here()


@contextmanager
def neighbour(page: str) -> Generator[str]:
    """Serve a page on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_another_port_asks_nothing_and_may_link_here(
    look: Callable[..., Looked], handbook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, home = look("desktop").page, handbook.partition("/?")[0]
    page.goto(handbook)
    asked: list[Any] = []
    monkeypatch.setattr(Index, "search", lambda *given, **_: asked.append(given))
    links = f'<a id="away" href="{home}/?q=pump">a question</a> <a id="in" href="{handbook}">the printed address</a>'
    with neighbour(f'<!doctype html><title>x</title><img src="{home}/?q=pump" alt="x">{links}') as elsewhere:
        page.goto(elsewhere)
        page.wait_for_load_state("networkidle")
        page.click("#away")
        page.get_by_role("heading", name="Locked").wait_for()
        assert asked == []
        page.goto(elsewhere)
        page.click("#in")
        page.get_by_role("heading", name="Locked").wait_for()
        page.get_by_role("link", name="go on").click()
        page.get_by_role("searchbox", name="Search").first.wait_for()


def test_it_works_without_scripts(look: Callable[..., Looked], handbook: str) -> None:
    page = look("desktop", java_script_enabled=False).page
    page.goto(handbook)
    ask(page, "pump")
    page.locator(".hit h3 a").first.click()
    page.locator(".chunk").first.wait_for()


BAD = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)><svg onload=alert(3)>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Index]]:
    """An index of what attacks whoever shows it, being looked at."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("hostile")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "<img src=x onerror=alert(4)>.md").write_text(
        f'---\ntitle: "{BAD}"\nhome: "javascript:alert(5)"\n---\n# {BAD}\n\nwater [x](javascript:alert(6)) {BAD}\n\n'
        "![far](https://evil.example/track.png)\n\n"
        '<iframe src="javascript:alert(7)"></iframe><meta http-equiv="refresh" content="0;url=https://evil.example">'
        '<link rel="stylesheet" href="https://evil.example/x.css"><base href="https://evil.example/"></main>'
    )
    (docs / "page.html").write_text(f"<h1>water</h1><p>{BAD.replace('<', '&lt;')} water</p>{BAD}")
    (docs / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(8)"/>')
    stream = io.BytesIO()
    Image.new("RGB", (90, 60), "red").save(stream, "PNG")
    (docs / "red.png").write_bytes(stream.getvalue())
    row = {"id": BAD, "url": "red.png", "caption": f"red {BAD}", "text": f"water {BAD}"}
    (docs / "rows.jsonl").write_text(json.dumps(row))
    rows = {"id": "id", "url": "url", "text": ["text"], "caption": "caption"}
    with emulating(EmulatorConfig()) as url:
        media = {"model": "dashscope/tongyi-embedding-vision-plus", "base_url": f"{url}/api/v1"}
        declared = {
            "name": "hostile",
            "description": BAD,
            "sources": [{"type": "files", "root": str(docs), "rows": rows}],
            "embedding": {"model": "local/wordllama"},
            "media": {"embedding": media},
            "store": {"uri": str(folder / "db")},
            "folder": folder,
        }
        index = Index(IndexSpec.model_validate(declared))
        index.ingest()
        with running(index) as address:
            yield address, index


def test_hostile_documents_do_nothing(look: Callable[..., Looked], hostile: tuple[str, Index]) -> None:
    address, index = hostile
    looked = look("desktop")
    page, home = looked.page, address.partition("/?")[0]
    page.goto(address)
    uris = [row["uri"] for row in index.table().search().where("active").select(["uri"]).limit(None).to_list()]
    media = [
        row["uri"] for row in index.table(media=True).search().where("active").select(["uri"]).limit(None).to_list()
    ]
    assert len(uris) >= 3
    assert len(media) >= 2
    paths = ["/?q=water", "/?q=red&explain=1", "/documents", "/documents?kind=media", "/failures", "/runs", "/status"]
    paths += [f"/documents/{document_id(uri)}" for uri in uris] + [f"/media/{document_id(uri)}" for uri in media]
    for path in paths:
        page.goto(home + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(AUDIT) == [], path
        for link in page.locator("a").all():
            assert not (link.get_attribute("href") or "").lower().startswith(("javascript", "data", "//"))
        assert page.url == home + path, "nothing led away"
    page.goto(home + f"/documents/{document_id(uris[0])}")
    looked.keep("hostile")
    looked.stayed_here()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/y>')")
    page.wait_for_timeout(300)
    assert any("Content Security Policy" in error for error in looked.errors), "and the policy would hold it back"
