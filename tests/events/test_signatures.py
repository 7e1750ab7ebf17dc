"""Tokens and signatures."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relance.errors import ConfigurationError
from relance.events import signatures
from relance.events.signatures import Secrets, sign

OLD, NEW = "an old secret of some length", "une clé toute nouvelle"
SECRETS = Secrets(SecretStr(f"{OLD}, {NEW}"))


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_two_secrets_opens(secret):
    github = "sha256=" + hmac.new(secret.encode(), b"body", hashlib.sha256).hexdigest()
    assert SECRETS.is_bearer("bearer " + secret.encode().decode("latin-1"))
    assert SECRETS.is_github(github, b"body")
    assert SECRETS.signed_at(sign(secret, b"body", 1700000000), b"body") == 1700000000


def test_one_of_several_signatures_is_enough():
    header = sign("another secret, not ours", b"body", 17) + sign(OLD, b"body", 17).removeprefix("t=17")
    assert SECRETS.signed_at(header, b"body") == 17


@given(st.text(max_size=90), st.binary(max_size=20))
def test_nothing_else_opens_and_nothing_breaks(header, body):
    assert not SECRETS.is_bearer(header)
    assert not SECRETS.is_token(header)
    assert not SECRETS.is_github(header, body)
    assert SECRETS.signed_at(header, body) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda header, body: (header, body + b" "),
        lambda header, body: (header.replace("t=17", "t=18"), body),
        lambda header, body: (header[:-1] + ("0" if header[-1] != "0" else "1"), body),
        lambda header, body: (header.upper(), body),
        lambda header, body: (header.replace("v1=", "v0="), body),
        lambda header, body: (header.split(",")[0], body),
        lambda header, body: (header + ",v1=" * 9, body),
        lambda header, body: (header.replace("t=17", "t=１７"), body),
    ],
)
def test_a_signature_covers_its_moment_and_its_body(change):
    header, body = change(sign(OLD, b"body", 17), b"body")
    assert SECRETS.signed_at(header, body) is None


@pytest.mark.parametrize("secret", ["", " , ", "short", "fifteen letters", f"{OLD},short"])
def test_a_secret_that_can_be_guessed_is_refused(secret):
    with pytest.raises(ConfigurationError, match="at least 16") as refused:
        Secrets(SecretStr(secret))
    assert "short" not in str(refused.value)


def test_no_secret_is_shown():
    assert OLD not in repr(SECRETS)


@pytest.mark.parametrize("secret", [OLD, NEW, "wrong"])
def test_all_secrets_are_compared_in_constant_time(monkeypatch, secret):
    compared = []
    real = hmac.compare_digest

    def spy(given, expected):
        compared.append(expected)
        return real(given, expected)

    monkeypatch.setattr(signatures.hmac, "compare_digest", spy)
    SECRETS.is_token(secret)
    SECRETS.is_github(secret, b"")
    SECRETS.signed_at(sign(secret, b"", 1), b"")
    assert len(compared) == 6


def test_nothing_is_compared_but_by_compare_digest():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(signatures))
    compares = sorted(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare))
    assert compares == ["min(map(len, self._secrets)) < SHORTEST", "parts is None", "scheme.lower() == 'bearer'"]
