"""The map as a page and as a picture: nothing of a document gets out of its data, and odd indexes draw, too."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from by_hand import by_hand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.analysis.cluster import Central, Cluster, Clusters, cluster
from relance.analysis.legend import cut, legend
from relance.analysis.map_page import map_page, security_policy
from relance.analysis.map_picture import _font, map_picture
from relance.analysis.points import Described
from relance.errors import InputError
from relance.index import Index

HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"><svg onload=document.title="owned">',
    "{{ 7 * 7 }} {% raw %}",
    "\u2028\u2029 \ud83d \x00 ]]>",
]


class Scripts(HTMLParser):
    """Collects what a browser would take for elements of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        tag, attributes = self.elements[-1] if self.elements else ("", {})
        key = attributes.get("id") or tag
        self.texts[key] = self.texts.get(key, "") + data


def parsed(html: str) -> Scripts:
    parser = Scripts()
    parser.feed(html)
    return parser


def made(n: int, labels: list[str], *, uris: list[str] | None = None) -> Clusters:
    """Clusters that no index was asked for."""
    rng = np.random.default_rng(0)
    belongs = (np.arange(n) % len(labels)).astype(np.int32)
    clusters = [Cluster(at, int((belongs == at).sum()), label, label.split(" · "), 0.9, [Central("0", "a", label, 0.9)])
                for at, label in enumerate(labels)]  # fmt: skip
    return Clusters(
        "notes", "documents", "kmeans", None, "notes__1", 1, n, 0.5, "tsne", clusters,
        [str(at) for at in range(n)], uris or [f"docs/{at % 3}/{at}.md" for at in range(n)], belongs,
        np.zeros(n, np.float32), rng.uniform(-1, 1, (n, 2)).astype(np.float32),
    )  # fmt: skip


def described(texts: list[str]):
    """Stand in for the table: the title and text of each point."""

    def describe(_index, _level, ids):
        return {name: Described(name, f"{name}.md", texts[int(name) % len(texts)], texts[int(name) % len(texts)], [],
                                "text/markdown", {}) for name in ids}  # fmt: skip

    return describe


def page_of(found: Clusters, texts: list[str], **options) -> str:
    return map_page(cast("Index", None), found, describe=described(texts), **options)


def data_of(html: str) -> Any:
    return json.loads(parsed(html).texts["data"])


def test_hostile_titles_stay_data():
    found = made(len(HOSTILE), HOSTILE[:5], uris=[f"javascript:alert({text})" for text in HOSTILE])
    html = page_of(found, HOSTILE)
    quiet = page_of(made(6, ["a", "b", "c", "d", "e"]), ["plain"])
    assert [tag for tag, _ in parsed(html).elements] == [tag for tag, _ in parsed(quiet).elements]
    assert not any(name.startswith("on") for _, attributes in parsed(html).elements for name in attributes)
    told = data_of(html)
    assert told["points"]["title"][0] == HOSTILE[0]
    assert not any(told["points"]["href"]), "no address of another kind becomes a link"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=40))
def test_any_text_comes_back_as_it_was_and_adds_no_element(text):
    html = page_of(made(1, ["a"]), [text])
    assert len(parsed(html).elements) == len(parsed(page_of(made(1, ["a"]), ["x"])).elements)
    assert data_of(html)["points"]["title"][0] in {
        text.encode("utf-8", "replace").decode(),
        cut(" ".join(text.split()), 60),
    }


def test_the_policy_allows_the_pages_own_script_and_style_only():
    html = page_of(made(3, ["a"]), ["x"])
    (policy,) = (a["content"] for tag, a in parsed(html).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == security_policy()
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_nothing_is_fetched():
    html = page_of(made(3, ["a"]), ["x"])
    for _, attributes in parsed(html).elements:
        assert "src" not in attributes
        assert attributes.get("href") in {None, "data:,"}
    for call in ("fetch(", "XMLHttpRequest", "import(", "WebSocket", "sendBeacon", "innerHTML", "eval(", "url("):
        assert call not in html


def test_links_are_https_or_what_the_server_says():
    uris = [
        "https://example.org/a b",
        "https://example.org/a",
        "http://example.org/a",
        "docs/a.md",
        "javascript:alert(1)",
    ]
    html = page_of(made(5, ["a"], uris=uris), ["x"])
    assert data_of(html)["points"]["href"] == ["", "https://example.org/a", "", "", ""]
    html = page_of(made(5, ["a"], uris=uris), ["x"], link=lambda uri: f"/document?uri={uri}")
    assert data_of(html)["points"]["href"][3] == "/document?uri=docs/a.md"


@pytest.mark.parametrize(
    ("uris", "names"),
    [
        (["docs/a/1.md", "docs/a/2.md", "docs/b/1.md"], ["docs/a", "docs/b"]),
        (["t/rows.csv#1", "t/rows.csv#2", "1.md"], ["t/rows.csv", "."]),
        (["s3://bucket/x/a.md", "s3://bucket/y/a.md", "s3://bucket/y/b.md"], ["s3://bucket/y", "s3://bucket/x"]),
        ([f"docs/{at}/a.md" for at in range(100)], ["docs"]),
    ],
)
def test_sources_are_folders_tables_and_sites_few_enough_to_choose_from(uris, names):
    told = data_of(page_of(made(len(uris), ["a"], uris=uris), ["x"]))
    assert told["sources"] == names
    assert all(0 <= each < len(names) for each in told["points"]["source"])


def test_a_large_index_shows_an_even_choice():
    html = page_of(made(500, ["a", "b"]), ["x"], most=50)
    told = data_of(html)
    assert len(told["points"]["x"]) == 50
    assert "50 of 500 documents in 2 clusters" in html
    assert {0, 1} == set(told["points"]["cluster"])


def test_clusters_without_a_map_are_refused(tmp_path):
    found = made(3, ["a"])
    found.positions[:] = np.nan
    with pytest.raises(InputError, match="no map"):
        page_of(found, ["x"])
    with pytest.raises(InputError, match="no map"):
        map_picture(found, tmp_path / "map.png")


def test_a_page_of_a_real_index(docs: Path, make_index: Callable[..., Index]):
    for number, text in enumerate([*HOSTILE[:4], "鱼", "plain"]):
        (docs / f"{number}.md").write_text(f"# {text}\n\nSomething about {text}.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    found = cluster(index, k=2)
    told = data_of(map_page(index, found))
    assert len(told["points"]["uri"]) == len(found.ids)
    assert told["points"]["uri"] == found.uris
    assert not any(text.startswith("#") for text in told["points"]["text"])


def test_marks_are_told_apart():
    marks = legend(made(200, [f"topic {at}" for at in range(45)]))
    assert len({(mark.colour, mark.shape) for mark in marks}) == 45
    for mark in marks:
        assert mark.x is not None
        assert -1 <= mark.x <= 1


@pytest.mark.parametrize(("text", "short"), [("abcdef", "abc…"), ("足球运动员", "足…"), ("ab", "ab"), ("", "")])
def test_labels_are_cut_by_width(text, short):
    assert cut(text, 3) == short


def test_characters_that_no_font_has_are_boxes():
    assert _font().style("a\ue000鱼", 9)["s"] in {"a□鱼", "a□□"}


def test_boxes_are_told(tmp_path):
    assert map_picture(made(40, ["river", "snow"]), tmp_path / "map.png") == ""
    told = map_picture(made(40, ["river \ue001", "snow\ue000"]), tmp_path / "map.png")
    assert told == "no installed font has \ue001 \ue000, so they are boxes; install one (Chinese: fonts-noto-cjk)"


def test_a_font_that_came_after_the_list_of_fonts_is_found(monkeypatch, tmp_path):
    from matplotlib import font_manager

    (tmp_path / "broken.ttf").write_bytes(b"no font")
    path = font_manager.findfont("DejaVu Sans Mono")
    older = [each for each in font_manager.fontManager.ttflist if each.name != "DejaVu Sans Mono"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", older)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf"), path])
    assert _font(("DejaVu Sans Mono",)).families == ["DejaVu Sans", "DejaVu Sans Mono"]


@pytest.mark.parametrize(
    ("labels", "n"),
    [
        (["鳍鱼 · 太平洋", "$\\frac$ · $x"], 60),
        *by_hand((["one"], 1), ([f"a long topic {at}" for at in range(45)], 60)),
    ],
)
def test_pictures_of_any_size_and_script(tmp_path, labels, n):
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        map_picture(made(max(n, len(labels)) if n > 1 else n, labels[: n if n == 1 else None]), tmp_path / "map.png")
    picture = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert picture.shape == (1200, 1800, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10, "not blank"


def test_no_label_of_a_picture_lies_on_the_point_it_is_of(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    placed = []
    text = Axes.text

    def written(axes, x, y, *arguments, **options):
        drawn = text(axes, x, y, *arguments, **options)
        placed.append((axes, x, y, drawn))
        return drawn

    monkeypatch.setattr(Axes, "text", written)
    found = made(60, [f"topic {at}" for at in range(6)])
    map_picture(found, tmp_path / "map.png")
    assert len(placed) == 6
    shown = [each for each in placed if each[3].figure is not None]
    assert shown
    for axes, x, y, label in shown:
        box = label.get_window_extent(axes.figure.canvas.get_renderer())
        across, up = axes.transData.transform((x, y))
        assert not (box.x0 <= across <= box.x1 and box.y0 <= up <= box.y1)


def test_threads_draw_at_once(tmp_path):
    found = made(40, ["a", "b"])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda at: map_picture(found, tmp_path / f"{at}.png"), range(8)))
    assert len({(tmp_path / f"{at}.png").read_bytes() for at in range(8)}) == 1
