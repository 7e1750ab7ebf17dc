"""Only this machine's own browser gets in, with the token, and whatever it gets carries the security headers."""

from __future__ import annotations

import hmac
import http.client
import re
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from tests.explore.conftest import Visitor

from relance.documents import document_id
from relance.explore.app import build
from relance.explore.explorer import Explorer
from relance.explore.headers import HEADERS
from relance.index import Index

PUMP = document_id("docs/pump.md")
NOBODY = "0" * 32
# Every route, with a path that it answers and one that it refuses.
PATHS = [
    "/", "/compare", "/compare?q=water", "/?q=water", "/?q=water&filter=(", "/?mode=nonsense", "/documents", "/documents?page=0",
    f"/documents/{PUMP}", f"/documents/{NOBODY}", f"/documents/{PUMP}/file", f"/documents/{NOBODY}/file",
    f"/documents/{PUMP}/chunks/0", f"/documents/{NOBODY}/chunks/0",
    f"/media/{NOBODY}", f"/media/{NOBODY}/picture", f"/media/{NOBODY}/video", f"/media/{NOBODY}/file",
    "/open?uri=docs/pump.md", "/open", "/map", "/map/view", "/map/picture", "/failures", "/runs", "/runs/none", "/status",
    "/static/explore.css", "/static/icon.svg", "/static/none", "/nothing",
]  # fmt: skip


def raw(visitor: Visitor, path: str, host: str | None, *, method: str = "GET", cookie: bool = True) -> int:
    """Ask with a Host header as a client library would not send it."""
    parts = urlsplit(visitor.address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    if cookie:
        connection.putheader("Cookie", f"relance-explore-{parts.port}={visitor.token}")
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_paths_cover_every_route(notes: Index) -> None:
    app = build(Explorer(notes), SecretStr("x"), 1)._app
    assert isinstance(app, Starlette)
    for route in app.routes:
        assert isinstance(route, (Route, Mount))
        pattern = route.path_regex
        assert any(pattern.match(urlsplit(path).path) for path in PATHS), route.path


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(visitor: Visitor, path: str) -> None:
    for response in (visitor.get(path), visitor.stranger.get(path)):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert "frame-src" not in policy
        for name in ("x-content-type-options", "referrer-policy", "cross-origin-resource-policy", "x-frame-options"):
            assert response.headers[name] == HEADERS[name]
        assert "no-store" in response.headers["cache-control"] or "private" in response.headers["cache-control"]
        assert "server" not in response.headers


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("/static/")])
def test_without_the_token_there_is_nothing_to_see(visitor: Visitor, path: str) -> None:
    response = visitor.stranger.get(path)
    assert response.status_code == 403
    assert "notes" not in response.text
    assert "relance explore" in response.text


@pytest.mark.parametrize("wrong", ["", "x", "é", "a" * 43, "\0"])
def test_a_wrong_token_opens_nothing(visitor: Visitor, wrong: str) -> None:
    assert visitor.stranger.get("/", params={"token": wrong}).status_code == 403
    half = visitor.token[:-1]
    assert visitor.stranger.get("/", params={"token": half}).status_code == 403


@pytest.mark.parametrize("old", ["x", "é", "a" * 43, "\0"])
def test_the_token_of_an_earlier_start_locks_nobody_out_who_is_in(visitor: Visitor, old: str) -> None:
    assert visitor.get("/status", params={"token": old}).status_code == 200
    visitor.client.cookies.set("relance-explore-1", "x")
    assert visitor.get("/", params={"token": visitor.token}).status_code == 303


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("mode", ["navigate", "no-cors", "cors"])
def test_a_page_of_another_port_asks_nothing(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, site: str, mode: str
) -> None:
    """Browsers send it our cookie along, and a question may cost."""
    monkeypatch.setattr(Index, "search", lambda *_, **__: pytest.fail("it was asked"))
    elsewhere = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    for path in PATHS:
        if not path.startswith("/static/"):
            response = visitor.get(path, headers=elsewhere)
            assert response.status_code == 403, path
            assert "notes" not in response.text
    assert visitor.get(f"/?token={visitor.token}", headers=elsewhere).status_code == 303, "the printed address is a key"


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_an_address_that_is_typed_or_ours_is_answered(visitor: Visitor, site: str) -> None:
    assert visitor.get("/?q=water", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_the_token_becomes_a_cookie_and_leaves_the_address(visitor: Visitor) -> None:
    response = visitor.stranger.get(f"/documents?find=a%26b&token={visitor.token}&page=1")
    visitor.stranger.cookies.clear()
    assert response.status_code == 303
    assert response.headers["location"] == "/documents?find=a%26b&page=1"
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert visitor.address.rpartition(":")[2] in cookie, "pages on two ports do not take each other's cookie away"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "//evil.example/%2e%2e", "/%0d%0aX:y"])
def test_the_way_in_leads_to_no_other_host(visitor: Visitor, path: str) -> None:
    parts = urlsplit(visitor.address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("GET", f"{path}?token={visitor.token}")
    response = connection.getresponse()
    location = response.headers.get("location", "/")
    connection.close()
    assert re.match(r"/(?![/\\])", location), location
    assert response.headers.get("x") is None


def test_the_comparison_takes_constant_time(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr("relance.explore.token_auth.hmac.compare_digest", lambda a, b: seen.append((a, b)) or a == b)
    assert visitor.get("/status").status_code == 200
    assert seen[-1] == (visitor.token.encode(), visitor.token.encode())
    assert {right for _, right in seen} == {visitor.token.encode()}
    assert hmac.compare_digest(b"a", b"a")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost", "localhost:8780", "LOCALHOST:8780", "[::1]:8780", "[::1]"]
)
def test_this_machine_may_be_called_by_its_names(visitor: Visitor, host: str) -> None:
    assert raw(visitor, "/status", host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8780", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1:80:80",
     "127.0.0.1@evil.example", "evil.example#127.0.0.1", "0.0.0.0", "127.1", "2130706433", "", "127.0.0.1:x"],
)  # fmt: skip
def test_another_name_is_refused_even_with_the_token(visitor: Visitor, host: str) -> None:
    """What DNS rebinding would send."""
    assert raw(visitor, "/status", host) in {400, 421}
    assert raw(visitor, "/static/explore.css", host) in {400, 421}
    assert raw(visitor, f"/?token={visitor.token}", host, cookie=False) in {400, 421}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_is_changed_from_elsewhere(visitor: Visitor, method: str) -> None:
    for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
        assert visitor.client.request(method, "/map", headers=site).status_code == 403


def test_only_the_map_takes_a_form(visitor: Visitor) -> None:
    here = {"Sec-Fetch-Site": "same-origin"}
    for path in PATHS:
        if urlsplit(path).path != "/map":
            assert visitor.client.post(path, headers=here).status_code in {404, 405}, path
    assert visitor.stranger.post("/map", headers=here).status_code == 403, "nor without the token"


def test_it_listens_on_this_machine_only(visitor: Visitor) -> None:
    assert urlsplit(visitor.address).hostname == "127.0.0.1"


def test_a_mistake_of_ours_tells_nothing(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr("relance.explore.index_reader.IndexReader.status", fail)
    response = visitor.get("/status")
    assert response.status_code == 500
    assert "secret words" not in response.text
    assert "content-security-policy" in response.headers
