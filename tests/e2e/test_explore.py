"""The page to look at an index, in a real browser: what people do there, at a desk and on a phone.

Screenshots are kept where RELANCE_SCREENSHOTS says.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.e2e.look import EXAMPLES, SIZES, Looked

from relance.config.load import load_spec
from relance.documents import document_id
from relance.explore import running
from relance.index import Index
from relance_emulator import EmulatorConfig
from relance_emulator import running as emulating

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Whether what has the focus shows it: itself, the frame around it, or the label it stands in.
FOCUS = r"""() => {
  const at = document.activeElement;
  return [at, at.closest(".field"), at.closest(".segments") && at.nextElementSibling].filter(Boolean).some((each) => {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.bottom > 0;
  });
}"""


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
    page.get_by_role("combobox", name="Search").first.fill(words)
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


def test_it_works_without_scripts(look: Callable[..., Looked], handbook: str) -> None:
    page = look("desktop", java_script_enabled=False).page
    page.goto(handbook)
    ask(page, "pump")
    page.locator(".hit h3 a").first.click()
    page.locator(".chunk").first.wait_for()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, fetched by npm: half a megabyte that only this test needs."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm is installed")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(
        [npm, "pack", "axe-core@4.10.3"], cwd=folder, capture_output=True, timeout=120, check=False
    )
    if fetched.returncode:
        pytest.skip("npm cannot fetch axe-core")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(look: Callable[..., Looked], handbook: str, axe: str, size: str, scheme: str) -> None:
    page = look(size, color_scheme=scheme, reduced_motion="reduce").page
    page.goto(handbook)
    home, problems = handbook.partition("/?")[0], []
    code = document_id("docs/engineering/stage_discharge.py")
    for path in ("", "?q=lithium+cell&explain=1", "?q=x&filter=yaer=1", "compare?q=battery", "documents", f"documents/{code}",
                 f"documents/{code}/chunks/0", "failures", "runs", "map", "status"):  # fmt: skip
        page.goto(f"{home}/{path}")
        page.evaluate(axe)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        problems += [(path, each["id"], each["nodes"][0]["html"][:160]) for each in found]
    assert not problems, problems
