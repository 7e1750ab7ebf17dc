"""Who comes in: tokens, rates, origins, and what is written down about it."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.serve.conftest import Serve, bearer, tokens

from relance.errors import ConfigurationError
from relance.index import Index
from relance.serve import ServeConfig
from relance.serve.rate import Rates
from relance.serve.tokens import Caller, Tokens, digest_of, new_token

SEARCH = "/v1/indexes/small/search"
DIGEST = "0" * 64


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def client(serve: Serve, small: Index, audit: Path) -> httpx.Client:
    known = tokens(ada={}, bob={"per_minute": 20}, other={"indexes": ["another"]}, boss={"owner": True})
    return serve(small, tokens=known, audit=audit, origins=("https://app.example.com",), metrics_token=SecretStr("m"))


def written(audit: Path, last: str) -> list[dict[str, Any]]:
    """Read the audit log once it has a line; that is written when its answer has been sent."""
    deadline = time.monotonic() + 10
    while last not in (text := audit.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, text
        time.sleep(0.01)
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer nobody", "Bearer token-of-adA", "Basic token-of-ada", "token-of-ada",
                                  "Bearer \udcff"])  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/indexes", "/openapi.json", "/mcp", "/nowhere"])
def test_without_a_token_nothing_is_answered(client: httpx.Client, sent: str, path: str) -> None:
    answer = client.get(path, headers=[(b"authorization", sent.encode("utf-8", "surrogateescape"))] if sent else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["detail"]


def test_a_token_lets_in_and_the_health_needs_none(client: httpx.Client) -> None:
    assert client.post(SEARCH, json={"query": "ferry"}, headers=bearer("ada")).status_code == 200
    assert client.get("/health/live").json() == {"status": "ok", "indexes": {}}
    assert client.get("/health/ready").json() == {"status": "ok", "indexes": {}}, "it names no index to strangers"
    schema = client.get("/openapi.json", headers=bearer("ada")).json()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_an_index_that_a_token_is_not_for_is_not_there(client: httpx.Client) -> None:
    hidden = client.post(SEARCH, json={"query": "ferry"}, headers=bearer("other"))
    unknown = client.post("/v1/indexes/none/search", json={"query": "ferry"}, headers=bearer("other"))
    assert (hidden.status_code, hidden.text) == (404, unknown.text.replace("none'", "small'"))
    assert client.get("/v1/indexes", headers=bearer("other")).json() == {"indexes": []}


def test_sql_is_for_the_owner(client: httpx.Client) -> None:
    asked = {"query": "ferry", "where": "length(text) > 5"}
    assert client.post(SEARCH, json=asked, headers=bearer("ada")).status_code == 403
    assert client.post(SEARCH, json=asked, headers=bearer("boss")).status_code == 200


def test_who_asks_too_often_waits_and_others_do_not(client: httpx.Client) -> None:
    answers = [client.get("/v1/indexes/none", headers=bearer("bob")) for _ in range(4)]
    assert [answer.status_code for answer in answers[:2]] == [404, 404]
    assert answers[3].status_code == 429
    assert int(answers[3].headers["retry-after"]) in {2, 3}
    assert client.get("/v1/indexes", headers=bearer("ada")).status_code == 200


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    rates, caller = Rates(lambda: now), Caller("x", per_minute=60)
    assert [rates.wait_s(caller) for _ in range(6)] == [0.0] * 6
    assert rates.wait_s(caller) == pytest.approx(1.0)
    now = 1.0
    assert (rates.wait_s(caller), rates.wait_s(caller)) == (0.0, pytest.approx(1.0))
    assert rates.wait_s(Caller("free")) == 0.0


def test_metrics_have_a_token_of_their_own(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer("ada")).status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer m"}).status_code == 200


def test_pages_of_an_origin_that_is_listed_may_call(client: httpx.Client) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    allowed = client.options(SEARCH, headers={"origin": "https://app.example.com", **asked})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    other = client.options(SEARCH, headers={"origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in other.headers
    answer = client.get("/v1/indexes", headers={"origin": "https://app.example.com", **bearer("ada")})
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"


def test_the_audit_log_says_who_did_what_and_no_secret(client: httpx.Client, audit: Path) -> None:
    client.post(SEARCH, json={"query": "where is the secret ferry"}, headers=bearer("ada"))
    client.get("/v1/indexes?token=whisper", headers=bearer("nobody"))
    client.get("/health/live")
    client.get("/v1/indexes/last", headers=bearer("ada"))
    searched, refused = written(audit, "/v1/indexes/last")[-3:-1]
    assert {
        "token": "ada",
        "operation": "search",
        "index": "small",
        "status": 200,
        "path": SEARCH,
    }.items() <= searched.items()
    assert searched["ms"] > 0
    assert searched["hits"] > 0
    assert (refused["token"], refused["status"]) == ("", 401)
    assert not any(word in audit.read_text(encoding="utf-8") for word in ("secret", "whisper", "token-of", "health"))
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600


def test_questions_are_written_where_that_is_wanted(serve: Serve, small: Index, tmp_path: Path) -> None:
    client = serve(small, audit=tmp_path / "a.jsonl", audit_queries=True)
    client.post(SEARCH, json={"query": "水位"})
    assert written(tmp_path / "a.jsonl", "水位")[-1]["query"] == "水位"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_without_tokens_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ConfigurationError, match="--tokens"):
        ServeConfig(host=host)
    assert ServeConfig(host=host, tokens=tokens(ada={})).host == host


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/", "ftp://a"])
def test_an_origin_is_scheme_host_and_port(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="origin"):
        ServeConfig(origins=(origin,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tokens"), ("tokens: []", "tokens"), ("tokens: [", "no YAML"), ("- a", "expected a file of `tokens:`"),
        ("tokens: [{name: a}]", "tokens.0.sha256: is missing"),
        ("tokens: [{name: a, sha256: rel_my-own-token}]", "never the token itself"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}', principal: [x]}}]", "unknown key"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}', owner: true, principals: [x]}}]", "leave out"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}', principals: ['']}}]", "principal"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}'}}, {{name: a, sha256: '{DIGEST}'}}]", "same name"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}'}}, {{name: b, sha256: '{DIGEST}'}}]", "same sha256"),
        (f"tokens: [{{name: a, sha256: '{DIGEST}', per_minute: 0}}]", "per_minute"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_said_at_its_place_and_without_its_value(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        Tokens.parse(text, "tokens.yaml")
    assert str(told.value).startswith("tokens.yaml")
    assert said in str(told.value)
    assert "rel_my" not in str(told.value)


def test_a_token_is_found_by_its_digest_and_shown_nowhere() -> None:
    token = new_token()
    known = Tokens.parse(f"tokens: [{{name: ada, sha256: '{digest_of(token).upper()}', principals: [ada]}}]")
    caller = known.find(token.get_secret_value())
    assert caller is not None
    assert (caller.name, caller.principals) == ("ada", ["ada"])
    assert known.find(digest_of(token)) is None, "a digest is no token"
    assert token.get_secret_value() not in repr((token, known, caller))
