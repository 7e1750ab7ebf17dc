"""What the tests of images and videos in an index start from."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the test's server for a public one, whose addresses the service is sent."""
    monkeypatch.setattr("relance.fetch.FetchPolicy.allows_url", lambda *_: False)


@pytest.fixture
def filled(gallery: Any, web: Any) -> Any:
    """Four colours in a folder, a table, two documents and on the web."""
    for name, colour in (("a", "red"), ("b", "green")):
        gallery.paint(f"pics/{name}.png", colour)
    one, two = web.put("/1.png", gallery.png("blue")), web.put("/2.png", gallery.png("white"), validator="date")
    gallery.write("m.csv", f"id,url,caption\n1,pics/a.png,the barn\n2,{one},the lake\n3,{two},the snow\n")
    gallery.write("docs/j.md", f"# Journal\n\n## Morning\n\nWe saw it.\n\n![a barn](../pics/a.png)\n\n![lake]({one})\n")
    gallery.write("docs/k.html", f"<h1>Winter</h1><p>It was a long day.</p><img src='{two}' alt='snow'>")
    return gallery


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the developer's."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
