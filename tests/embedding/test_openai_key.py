"""The key of an OpenAI-compatible service: where it comes from, and that it is shown nowhere."""

import logging

import pytest
from openai_service import KEY, TEXTS, ask, error, spec_for
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.config.settings import read_settings
from relance.embedding.providers import open_provider
from relance.errors import ConfigurationError, InputError, RelanceError

SERVICE = "openai_service"


@pytest.mark.parametrize(
    "response",
    [
        error(401, f"Incorrect API key provided: {KEY}"),
        error(400, f"{'x' * 400} {KEY}"),
        Response(f"<p>{KEY}</p>", 500, mimetype="text/plain"),
        Response(f"not json {KEY}", 200),
        Response("", 302, {"Location": f"/login?key={KEY}"}),
    ],
)
def test_the_key_is_in_no_error_and_no_log(service, response, caplog):
    caplog.set_level(logging.DEBUG)
    service.always = response
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service), TEXTS)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.getrepr(style='long', showlocals=False)}"
    assert KEY not in caplog.text
    assert len(str(caught.value)) < 600


def test_a_long_message_is_cut_before_a_part_of_the_key_can_remain(service):
    service.always = error(400, f"{'x' * 290}{KEY}")
    with pytest.raises(InputError) as caught:
        ask(spec_for(service), TEXTS)
    assert KEY[:5] not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-line\nbreak", "sk-ümlaut", "sk-tab\there"])
def test_a_damaged_key_is_not_quoted(service, key):
    with pytest.raises(ConfigurationError, match="key") as caught:
        ask(spec_for(service, api_key=key), TEXTS)
    assert key[3:] not in str(caught.value)


def test_key_and_address_come_from_the_environment(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " sk-env \n")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{service.url}/")
    ask(EmbeddingSpec(model="openai/m", dimension=8), TEXTS)
    ask(spec_for(service), TEXTS)
    assert [headers["Authorization"] for headers in service.headers] == ["Bearer sk-env", f"Bearer {KEY}"]


def test_key_and_address_come_from_a_dotenv_file(service, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY=sk-file\nOPENAI_BASE_URL={service.url}\nUNRELATED=1\n")
    ask(EmbeddingSpec(model="openai/m", dimension=8), TEXTS)
    assert service.headers[0]["Authorization"] == "Bearer sk-file"


def test_another_service_may_go_without_a_key(service, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ask(EmbeddingSpec(model="openai/m", dimension=8, base_url=service.url), TEXTS)
    assert "Authorization" not in service.headers[0]


def test_openai_itself_needs_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        open_provider(EmbeddingSpec(model="openai/text-embedding-3-small"))


def test_a_wrong_variable_is_named_but_not_quoted(monkeypatch):
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "sk-in-the-wrong-place")
    with pytest.raises(ConfigurationError, match="RELANCE_FAKE_DELAY_S") as caught:
        read_settings()
    assert "sk-" not in str(caught.value)
