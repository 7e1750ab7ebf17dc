"""Talking to a Prefect server that is well, ill, closed, or none."""

import base64
import json
import socket
import subprocess
import sys
import time

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Response

from relance.errors import ConfigurationError, RateLimitedError, RetryableError
from relance.events import Change
from relance.events.events_api import EventsApi
from relance.events.settings import ServerSettings, read_server_settings, read_webhook_secrets
from relance.events.signatures import route_secret

CHANGE = Change("handbook", "docs", ("docs/a.md",))
DEPLOYMENT = "/api/deployments/name/ingest-on-change/handbook"


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    """A Prefect API that has no deployment, unless a test adds one."""
    httpserver.expect_request(DEPLOYMENT, method="GET").respond_with_handler(
        lambda _: Response('{"detail": "Deployment not found"}', 404, content_type="application/json")
    )
    return httpserver


@pytest.fixture
def api(server):
    with EventsApi(ServerSettings(api_url=server.url_for("/api"))) as api:
        yield api


@pytest.fixture
def unused_port():
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bodies(server):
    return [json.loads(request.data) for request, _ in server.log if request.path == "/api/events"]


def test_an_event_is_posted(server, api):
    server.expect_request("/api/events", method="POST").respond_with_data(status=204)
    api.emit(CHANGE)
    ((event,),) = bodies(server)
    assert Change.of_event(event) == CHANGE
    assert event["resource"]["relance.deployment"] == "shared"


def test_an_index_with_a_deployment_of_its_own_is_told_so(httpserver):
    httpserver.expect_request(DEPLOYMENT).respond_with_json({"id": "1", "name": "handbook"})
    httpserver.expect_request("/api/events", method="POST").respond_with_data(status=204)
    with EventsApi(ServerSettings(api_url=httpserver.url_for("/api/"))) as api:
        api.emit(CHANGE)
    assert bodies(httpserver)[0][0]["resource"]["relance.deployment"] == "own"


def test_whether_an_index_is_deployed_is_asked_every_thirty_seconds(server):
    times: list[float] = []
    with EventsApi(ServerSettings(api_url=server.url_for("/api")), clock=lambda: times[-1]) as api:
        for moment in (0.0, 29.9, 30.1):
            times.append(moment)
            assert api.is_deployed("handbook") is False
    assert len(server.log) == 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"auth_string": "admin:p:ss"}, "Basic " + base64.b64encode(b"admin:p:ss").decode()),
        ({"api_key": "pnu_1"}, "Bearer pnu_1"),
        ({"auth_string": "admin:pass", "api_key": "pnu_1"}, "Basic " + base64.b64encode(b"admin:pass").decode()),
        ({}, None),
    ],
)
def test_credentials_are_sent_as_prefect_sends_them(server, settings, expected):
    with EventsApi(ServerSettings.model_validate({"api_url": server.url_for("/api")} | settings)) as api:
        api.is_deployed("handbook")
    assert server.log[0][0].headers.get("authorization") == expected


def test_a_csrf_token_is_fetched_when_the_server_asks_and_again_when_it_is_stale(server, api):
    tokens = iter(["one", "two"])
    valid = "one"

    def post(request):
        token = request.headers.get("prefect-csrf-token")
        if token != valid or not request.headers.get("prefect-csrf-client"):
            detail = "Missing CSRF token." if token is None else "Invalid CSRF token or client identifier."
            return Response(json.dumps({"detail": detail}), 403, content_type="application/json")
        return Response(status=204)

    def issue(request):
        client = request.args["client"]
        return Response(json.dumps({"token": next(tokens), "client": client}), content_type="application/json")

    server.expect_request("/api/events", method="POST").respond_with_handler(post)
    server.expect_request("/api/csrf-token", method="GET").respond_with_handler(issue)
    api.emit(CHANGE)
    api.emit(CHANGE)
    valid = "two"
    api.emit(CHANGE)
    assert [request.path for request, _ in server.log].count("/api/csrf-token") == 2
    assert [response.status_code for request, response in server.log if request.path == "/api/events"] == [
        403, 204, 204, 403, 204,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, ConfigurationError, "PREFECT_API_AUTH_STRING"),
        (403, ConfigurationError, "refuses us"),
        (404, ConfigurationError, "ends? with /api"),
        (405, ConfigurationError, "end with /api"),
        (307, ConfigurationError, "end with /api"),
        (408, RetryableError, "in trouble"),
        (422, ConfigurationError, "refuses the event: too long"),
        (429, RateLimitedError, "fewer requests"),
        (500, RetryableError, "in trouble"),
        (503, RetryableError, "in trouble"),
    ],
)
def test_an_answer_is_sorted_by_what_to_do_next(server, api, status, kind, words):
    server.expect_request("/api/events").respond_with_data("too long", status=status, headers={"retry-after": "7"})
    with pytest.raises(kind, match=words.replace("ends? ", "end ")) as error:
        api.emit(CHANGE)
    if kind is RateLimitedError:
        assert error.value.retry_after_s == 7


def test_a_page_is_not_taken_for_a_deployment(httpserver):
    httpserver.expect_request("/deployments/name/ingest-on-change/handbook").respond_with_data(
        "<!doctype html>", content_type="text/html"
    )
    settings = ServerSettings(api_url=httpserver.url_for("/"))
    with EventsApi(settings) as api, pytest.raises(ConfigurationError, match="end with /api"):
        api.is_deployed("handbook")


def test_a_server_that_is_away_is_no_mistake_and_no_secret_is_told(unused_port):
    url = f"http://admin:hunter2@127.0.0.1:{unused_port}/api"
    with EventsApi(ServerSettings(api_url=url, auth_string=SecretStr("admin:hunter2"))) as api:
        assert api.health() is False
        with pytest.raises(RetryableError, match="does not answer") as error:
            api.emit(CHANGE)
    assert "hunter2" not in str(error.value)
    assert f"127.0.0.1:{unused_port}/api" in str(error.value)


def test_a_server_that_never_answers_is_given_up(httpserver):
    httpserver.expect_request("/api/health").respond_with_handler(lambda _: time.sleep(1) or Response("true"))
    began = time.monotonic()
    with EventsApi(ServerSettings(api_url=httpserver.url_for("/api")), timeout_s=0.1) as api:
        assert api.health() is False
    assert time.monotonic() - began < 0.9


def test_health_is_what_the_server_says(httpserver, api):
    httpserver.expect_request("/api/health").respond_with_json(True)
    assert api.health() is True


@pytest.mark.parametrize("url", ["localhost:4200/api", "ftp://x/api", "http:///api", "nonsense"])
def test_an_address_that_is_none_is_said(url):
    with pytest.raises(ConfigurationError, match="PREFECT_API_URL is no http address"):
        EventsApi(ServerSettings(api_url=url))


def test_a_missing_certificate_file_is_said():
    with pytest.raises(ConfigurationError, match=r"nowhere\.pem cannot be read"):
        EventsApi(ServerSettings(api_url="https://x/api", certificates="nowhere.pem"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("API_URL", "API_KEY", "API_AUTH_STRING", "API_SSL_CERT_FILE", "PROFILE", "PROFILES_PATH"):
        monkeypatch.delenv(f"PREFECT_{name}", raising=False)
    monkeypatch.delenv("RELANCE_WEBHOOK_SECRET", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_missing_address_is_said(home):
    with pytest.raises(ConfigurationError, match="set PREFECT_API_URL"):
        EventsApi()


def test_the_active_profile_is_asked_where_the_environment_is_silent(home, monkeypatch):
    (home / "profiles.toml").write_text(
        'active = "lab"\n[profiles.lab]\nPREFECT_API_URL = "http://lab/api"\nPREFECT_API_AUTH_STRING = "a:b"\n'
        '[profiles.other]\nPREFECT_API_URL = "http://other/api"\n'
    )
    assert read_server_settings().api_url == "http://lab/api"
    assert read_server_settings().auth_string.get_secret_value() == "a:b"
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "c:d")
    assert read_server_settings().auth_string.get_secret_value() == "c:d"
    monkeypatch.setenv("PREFECT_PROFILE", "other")
    assert read_server_settings().api_url == "http://other/api"
    monkeypatch.setenv("PREFECT_API_URL", "http://environment/api")
    assert read_server_settings().api_url == "http://environment/api"
    assert "c:d" not in repr(read_server_settings())


@pytest.mark.parametrize(
    "text", ["", "nonsense", "active = 3", 'active = "x"\nprofiles = 3', 'active = "x"\n[profiles]\nx = 1']
)
def test_a_broken_profile_is_none(home, text):
    (home / "profiles.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="set PREFECT_API_URL"):
        read_server_settings()


def test_the_secret_of_webhooks_is_read_and_its_absence_said(home, monkeypatch):
    with pytest.raises(ConfigurationError, match="RELANCE_WEBHOOK_SECRET is not set"):
        read_webhook_secrets()
    monkeypatch.setenv("RELANCE_WEBHOOK_SECRET", "0123456789abcdef")
    assert read_webhook_secrets().of("s3", "a").is_token(route_secret("0123456789abcdef", "s3", "a"))


def test_importing_the_package_loads_nothing_heavy():
    heavy = "prefect lancedb pyarrow httpx starlette uvicorn watchfiles"
    code = (
        "import sys, pkgutil, importlib, relance.events as package\n"
        "skipped = {'relance.events.delivery_table', 'relance.events.handled'}\n"  # the store's
        "for module in pkgutil.walk_packages(package.__path__, 'relance.events.'):\n"
        "    module.name in skipped or importlib.import_module(module.name)\n"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sending_an_event_does_not_import_prefect(server):
    server.expect_request("/api/events", method="POST").respond_with_data(status=204)
    code = (
        "import sys\nfrom relance.events import Change\nfrom relance.events.events_api import EventsApi\n"
        "EventsApi().emit(Change('handbook', everything=True))\nprint('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PREFECT_API_URL": server.url_for("/api")})  # fmt: skip
    assert done.stdout.strip() == "False"
    assert len(bodies(server)) == 1
