"""The OpenAI-compatible provider against a service that misbehaves as real ones do."""

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from openai_service import EXPECTED, TEXTS, ask, embed, error, spec_for
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.embedding.providers import open_provider
from relance.embedding.providers.openai_errors import error_for
from relance.embedding.providers.refusals import Refusal
from relance.errors import AccountError, ConfigurationError, DeniedError, InputError, RateLimitedError, RetryableError
from relance.http.client import retry_after_s

SERVICE = "openai_service"


# Trouble that passes


@pytest.mark.parametrize(
    "response",
    [
        error(429, "slow down", code="rate_limit_exceeded"),
        error(429, "slow down", {"Retry-After": "0"}),
        error(500),
        error(503, "overloaded", {"Retry-After": "0"}),
        error(408),
        error(424, "Inference failed: backend error", error_type="Backend"),
        Response("<html><body>Bad Gateway</body></html>", 502, mimetype="text/html"),
        Response("", 504),
        error(200, "try later", code=503),
        error(200, "slow", type="rate_limit_exceeded"),
        Response("<html>login</html>", 200, mimetype="text/html"),
        Response('{"data": [', 200, mimetype="application/json"),
    ],
    ids=lambda response: f"{response.status_code} {response.get_data(as_text=True)[:30]}",
)
def test_trouble_that_passes_is_waited_out(service, response):
    service.script = [response]
    np.testing.assert_allclose(embed(spec_for(service), TEXTS).vectors, EXPECTED, rtol=1e-6)
    assert len(service.bodies) == 2


def test_a_pause_asked_for_arrives_at_the_embedder(service):
    service.script = [error(429, "slow", {"Retry-After": "17"})]
    with pytest.raises(RateLimitedError) as caught:
        ask(spec_for(service), TEXTS)
    assert caught.value.retry_after_s == 17


def test_a_slow_reply_is_given_up_and_asked_for_again(service):
    def slow(_body):
        time.sleep(0.5)

    service.script = [slow]
    with pytest.raises(RetryableError, match=r"did not answer within 0\.1 s"):
        ask(spec_for(service, timeout_s=0.1), TEXTS)
    service.script = [slow]
    np.testing.assert_allclose(
        embed(spec_for(service, timeout_s=0.3, max_attempts=50), TEXTS).vectors, EXPECTED, rtol=1e-6
    )


def test_a_broken_connection_can_be_retried():
    async def main():
        async def hang_up(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = open_provider(
            EmbeddingSpec(model="openai/m", dimension=8, base_url=f"http://127.0.0.1:{port}/v1", timeout_s=5)
        )
        try:
            with pytest.raises(RetryableError, match=f"connection to .*127.0.0.1:{port}/v1 broke"):
                await provider.embed(TEXTS, input_type="document")
        finally:
            await provider.aclose()
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_a_refused_connection_names_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RetryableError, match=f"Cannot reach openai/m at http://127.0.0.1:{port}/v1"):
            ask(EmbeddingSpec(model="openai/m", dimension=8, base_url=f"http://127.0.0.1:{port}/v1"), TEXTS)


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")}, 90.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 -0000"}, 90.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, seconds):
    assert retry_after_s(headers, now=NOW) == seconds


# Trouble that does not pass


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (error(401, "Incorrect API key"), AccountError),
        (error(402, "pay"), AccountError),
        (error(403, "forbidden"), DeniedError),
        (error(400, "API key not valid. Please pass a valid API key."), AccountError),
        (error(400, "Access denied", code="Arrearage"), AccountError),
        (error(200, "who are you", code=401), AccountError),
        (error(404, "The model `x` does not exist", code="model_not_found"), ConfigurationError),
        (error(400, "no such model", code="model_not_found"), ConfigurationError),
        (Response("Not Found", 404), ConfigurationError),
        (Response("", 307, {"Location": "https://elsewhere.example/"}), ConfigurationError),
        (error(405), InputError),  # a firewall, or an address that is none: then every text is refused
        (error(400, "maximum context length is 8192 tokens"), InputError),
        (error(413, "too large"), InputError),
        (error(422, "validation"), InputError),
        (error(200, "bad input", type="invalid_request_error"), InputError),
    ],
    ids=lambda value: value.get_data(as_text=True)[:40] if isinstance(value, Response) else "",
)
def test_trouble_that_does_not_pass_is_named_for_what_it_is(service, response, kind):
    service.always = response
    with pytest.raises(kind) as caught:
        ask(spec_for(service), TEXTS)
    assert type(caught.value) is kind
    assert service.url in str(caught.value)


def test_an_empty_account_is_told_from_a_rate_only_at_openai_itself():
    no = Refusal(429, "You exceeded your current quota", ("insufficient_quota",))
    assert type(error_for(no, "m", host="api.openai.com", advice="")) is AccountError
    assert type(error_for(no, "m", host="localhost", advice="")) is RateLimitedError


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "in openai style"}}', "in openai style"),
        ('{"object": "error", "message": "in vllm style"}', "in vllm style"),
        ('{"error": "in tei style", "error_type": "Validation"}', "in tei style"),
        ('{"detail": "in fastapi style"}', "in fastapi style"),
        ("in plain\n words", "in plain words"),
        ("[1, 2]", r"\[1, 2\]"),
    ],
)
def test_the_services_own_words_are_passed_on(service, body, said):
    service.always = Response(body, 400)
    with pytest.raises(InputError, match=said):
        ask(spec_for(service), TEXTS)


def test_the_guilty_text_is_found_in_a_batch(service):
    service.always = lambda b: error(400, "this text is not allowed") if "three" in b["input"] else None
    result = embed(spec_for(service), TEXTS)
    assert result.failures.keys() == {2}
    assert "this text is not allowed" in result.failures[2]
    np.testing.assert_allclose(result.vectors[[0, 1, 3]], EXPECTED[[0, 1, 3]], rtol=1e-6)


def test_an_error_of_status_200_is_seen_without_an_envelope(service):
    service.script = [Response('{"code": "Throttling", "message": "slow down"}', mimetype="application/json")]
    with pytest.raises(RetryableError, match="slow down"):
        ask(spec_for(service), TEXTS)
