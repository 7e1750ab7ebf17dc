"""The way out into the network: proxies, what is called directly, certificates; and what is said where it is closed."""

import gc
import json
import os
import socket
import ssl
import threading
import urllib.request
import warnings
from urllib.parse import urlsplit

import pytest
from certificates import make_authority
from command_line import one_message
from odd_services import MODES, OddService
from openai_service import EXPECTED, TEXTS, Service, embed, spec_for
from pytest_httpserver import HTTPServer
from socks_proxy import socks_proxy
from werkzeug import Response

from relance.errors import ConfigurationError, RetryableError, UnreachableError
from relance.events.events_api import EventsApi
from relance.events.settings import ServerSettings
from relance.http.certificates import trusted
from relance.http.proxies import proxy_for, spare_loopback
from relance_operate.launch import quiet_prefect

SERVICE = "openai_service"
DEAD = "http://127.0.0.1:9"
ELSEWHERE = "http://embeddings.example/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """No proxy and no certificate of the developer's."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


# Which proxy


@pytest.mark.parametrize(
    ("environment", "url", "address"),
    [
        ({}, "https://a.example/v1", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example/v1", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://a.example/v1", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://a.example/v1", None),
        ({"HTTP_PROXY": "http://p:1", "ALL_PROXY": "socks5://q:2"}, "https://a.example/v1", "socks5://q:2"),
        ({"ALL_PROXY": "socks5h://u:w@q"}, "http://a.example/v1", "socks5h://u:w@q"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "example"}, "https://a.example/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".a.example, b"}, "https://a.example/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "a.example:8000"}, "http://a.example:8000/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "a.example:8000"}, "http://a.example/v1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "ample"}, "http://a.example/v1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8,::/3"}, "http://10.2.3.4/v1", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "http://11.2.3.4/v1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.example/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.1:11434/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.9.9.9/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::1]:8000/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8000/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://llm.localhost/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost.example/v1", "http://p:1"),
    ],
)
def test_the_environment_says_by_which_proxy_an_address_is_called(monkeypatch, environment, url, address):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(url)
    assert (found.address if found else None) == address


@pytest.mark.parametrize(
    "value", ["ftp://u:hush@p", "http://", "socks4://u:hush@p:1", "http://u:hush@p:port", "://u:hush", "http://p:0"]
)
def test_a_proxy_nobody_can_use_is_one_sentence_without_its_password(monkeypatch, value):
    monkeypatch.setenv("HTTP_PROXY", value)
    with pytest.raises(ConfigurationError, match=r"^HTTP_PROXY names no proxy that can be used") as caught:
        proxy_for(ELSEWHERE)
    assert "hush" not in str(caught.value)


# Requests


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", [DEAD, "socks5://127.0.0.1:9"])
def test_a_service_on_this_machine_is_called_directly(service, monkeypatch, name, proxy):
    monkeypatch.setenv(name, proxy)
    assert not embed(spec_for(service), TEXTS).failures


def test_requests_go_through_an_http_proxy(service, httpserver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", httpserver.url_for("").replace("http://", "http://me:hush@"))
    result = embed(spec_for(service, base_url=ELSEWHERE), TEXTS)
    assert result.vectors == pytest.approx(EXPECTED, rel=1e-6)
    assert [headers["Host"] for headers in service.headers] == ["embeddings.example"]
    assert service.headers[0]["Proxy-Authorization"].startswith("Basic ")


@pytest.mark.parametrize("user", ["", "me:hush"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_requests_go_through_a_socks_proxy(service, monkeypatch, user, scheme):
    parts = urlsplit(service.url)
    with socks_proxy((parts.hostname, parts.port), user) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{user}{'@' * bool(user)}{proxy.address}")
        result = embed(spec_for(service, base_url=ELSEWHERE), TEXTS)
    assert result.vectors == pytest.approx(EXPECTED, rel=1e-6)
    assert proxy.asked == ["embeddings.example"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_down_is_named_without_its_password(service, monkeypatch, scheme):
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:hush@127.0.0.1:9")
    with pytest.raises(UnreachableError) as caught:
        embed(spec_for(service, base_url=ELSEWHERE, max_attempts=1), TEXTS)
    assert f"Cannot reach openai/some-model at {ELSEWHERE} through the proxy {scheme}://127.0.0.1:9 (ALL_PROXY)" in str(
        caught.value
    )
    assert "hush" not in str(caught.value)


@pytest.fixture
def collected():
    """Collect the sockets of handshakes that failed: httpcore leaves them to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("collected")
@pytest.mark.long
def test_a_socks_proxy_that_refuses_is_a_sentence(service, monkeypatch):
    with socks_proxy(("127.0.0.1", 9), "me:hush") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://me:blunder@{proxy.address}")
        with pytest.raises(RetryableError, match="through the proxy socks5://") as caught:
            embed(spec_for(service, base_url=ELSEWHERE, max_attempts=1), TEXTS)
    assert "blunder" not in str(caught.value)


@pytest.mark.usefixtures("collected")
def test_a_socks_proxy_that_says_nothing_is_given_up(service, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RetryableError, match=r"did not answer through the proxy socks5://.* within 0\.3 s"):
            embed(spec_for(service, base_url=ELSEWHERE, max_attempts=1, timeout_s=0.3), TEXTS)


@pytest.mark.parametrize("url", [ELSEWHERE, ELSEWHERE.replace("http:", "https:")])
def test_a_proxy_that_wants_another_password_ends_the_run(service, httpserver, monkeypatch, url):
    service.always = Response("", 407)
    httpserver.expect_request("").respond_with_response(Response("", 407))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, httpserver.url_for("").replace("http://", "http://me:hush@"))
    if url.startswith("https"):
        listener = socket.create_server(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@127.0.0.1:{listener.getsockname()[1]}")

        def refuse():
            with listener:
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
    with pytest.raises(ConfigurationError, match=r"407|wants another user or password") as caught:
        embed(spec_for(service, base_url=url), TEXTS)
    assert "hush" not in str(caught.value)


def test_a_server_of_events_on_this_machine_is_called_directly(httpserver, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    httpserver.expect_request("/api/health").respond_with_json(True)
    with EventsApi(ServerSettings(api_url=httpserver.url_for("/api"))) as api:
        assert api.health()


# Clients of others


@pytest.mark.parametrize(
    ("there", "then"),
    [
        (None, "127.0.0.1,localhost,::1"),
        ("a, localhost", "a,localhost,127.0.0.1,::1"),
        ("*", "*"),
        ("", "127.0.0.1,localhost,::1"),
    ],
)
def test_this_machine_is_spared_by_clients_of_others_too(monkeypatch, there, then):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    if there is None:
        monkeypatch.setenv("NO_PROXY", "")  # for monkeypatch to take it away again
        monkeypatch.delenv("NO_PROXY")
    else:
        monkeypatch.setenv("NO_PROXY", there)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("no_proxy")
    spare_loopback()
    spare_loopback()
    assert os.environ["NO_PROXY"] == then


def test_prefects_client_finds_a_server_on_this_machine_although_there_is_a_proxy(monkeypatch):
    monkeypatch.setattr(os, "environ", {"HTTP_PROXY": DEAD})
    quiet_prefect()
    assert urllib.request.proxy_bypass("127.0.0.1:4200")
    assert not urllib.request.proxy_bypass("embeddings.example")


# Certificates


@pytest.fixture(scope="module")
def authority():
    return make_authority()


@pytest.fixture
def private(authority, tmp_path):
    """A service with a certificate of an authority nobody knows; yields it and the authority's file."""
    certificate, key = authority[1]("localhost")
    for name, content in (("authority.pem", authority[0]), ("server.pem", certificate + key)):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    with HTTPServer(host="localhost", ssl_context=context) as server:
        yield Service(server), tmp_path / "authority.pem"


def test_a_certificate_nobody_knows_ends_the_run_at_once_and_says_what_to_do(private):
    service, _ = private
    with pytest.raises(ConfigurationError, match=r"is not trusted: .*SSL_CERT_FILE=/path/to/ca\.pem"):
        embed(spec_for(service, base_url=service.url), TEXTS)
    assert service.bodies == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_authority_is_trusted_where_the_environment_names_it(private, monkeypatch, name):
    service, file = private
    monkeypatch.setenv(name, str(file))
    assert not embed(spec_for(service), TEXTS).failures


def test_a_service_that_speaks_no_tls_is_named_for_it(service):
    with pytest.raises(ConfigurationError, match=r"does not speak TLS; should the address begin with http:// \?"):
        embed(spec_for(service, base_url=service.url.replace("http", "https")), TEXTS)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read_are_one_sentence_with_variable_and_file(
    service, monkeypatch, tmp_path, name, content
):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(name, str(file))
    with pytest.raises(ConfigurationError, match=rf"^{name}: .*ca\.pem (is not there|holds no certificates)"):
        embed(spec_for(service), TEXTS)


def test_a_folder_of_certificates_is_taken(monkeypatch, tmp_path):
    (tmp_path / "ca").mkdir()
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'missing'}{os.pathsep}{tmp_path / 'ca'}")
    assert isinstance(trusted(), ssl.SSLContext)


def test_a_wrong_file_of_certificates_is_a_sentence_on_the_command_line(service, run, tmp_path, monkeypatch):
    spec = tmp_path / "index.yaml"
    (tmp_path / "a.md").write_text("# A\n\nText.\n", encoding="utf-8")
    spec.write_text(
        "name: a\nsources: [{type: files, root: ., include: ['*.md']}]\n"
        f"embedding: {{model: openai/m, dimension: 8, base_url: '{service.url}'}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    ran = run("ingest", spec, "--direct")
    assert ran.code == 2
    assert "SSL_CERT_FILE: /nowhere/ca.pem is not there" in one_message(ran)


def test_documents_beside_one_the_service_falls_over_are_written(httpserver, run, tmp_path):
    service = OddService(httpserver, MODES["Ollama: NaN"])
    for name, text in (("a", "One."), ("b", "Two."), ("c", "The poison."), ("d", "Four.")):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    spec = tmp_path / "index.yaml"
    spec.write_text(
        "name: a\nsources: [{type: files, root: ., include: ['*.md']}]\n"
        f"embedding: {{model: openai/m, dimension: 8, base_url: '{service.url}'}}\n",
        encoding="utf-8",
    )
    for added, unchanged in ((3, 0), (0, 3)):
        report = run("ingest", spec, "--direct", "--json").json
        assert (report["added"], report["unchanged"], report["failed"]) == (added, unchanged, 1)
        assert "unsupported value: NaN" in json.dumps(report)
    assert sum(len(body["input"]) for body in service.bodies if "The poison." in str(body)) < 30
