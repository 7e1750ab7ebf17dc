"""Tokens and signatures."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relance.errors import ConfigurationError
from relance.events import signatures
from relance.events.signatures import Secrets, route_secret, sign, signed_at

OLD, NEW = "an old secret of some length", "une clé toute nouvelle"
SECRETS = Secrets(SecretStr(f"{OLD}, {NEW}")).of("generic", "handbook")
PATH = "/generic/handbook?root=docs"


def of_route(secret: str) -> str:
    return route_secret(secret, "generic", "handbook")


def signed(secret: str, body: bytes = b"body", at: int = 17) -> str:
    return sign(of_route(secret), PATH, body, at)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_two_secrets_opens(secret):
    github = "sha256=" + hmac.new(of_route(secret).encode(), b"body", hashlib.sha256).hexdigest()
    assert SECRETS.is_bearer("bearer " + of_route(secret))
    assert SECRETS.is_github(github, b"body")
    assert SECRETS.is_signed(signed(secret), PATH, b"body")
    assert not SECRETS.is_token(secret)


def test_one_of_several_signatures_is_enough():
    header = signed("another secret, not ours") + signed(OLD).removeprefix("t=17")
    assert SECRETS.is_signed(header, PATH, b"body")
    assert signed_at(header) == 17


def test_the_secret_of_a_route_is_what_the_docs_compute():
    import subprocess

    shell = f"printf %s generic/handbook | openssl dgst -sha256 -hmac '{OLD}' -r | cut -d' ' -f1"
    made = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout.strip()
    assert made == of_route(OLD)


@given(st.text(max_size=90), st.binary(max_size=20))
def test_nothing_else_opens_and_nothing_breaks(header, body):
    assert not SECRETS.is_bearer(header)
    assert not SECRETS.is_token(header)
    assert not SECRETS.is_github(header, body)
    assert not SECRETS.is_signed(header, PATH, body)


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
    header, body = change(signed(OLD), b"body")
    assert not SECRETS.is_signed(header, PATH, body)


@pytest.mark.parametrize("path", ["/generic/notes?root=docs", "/generic/handbook", "/generic/handbook?root=docs&x", ""])
def test_a_signature_covers_the_path_and_the_query(path):
    assert not SECRETS.is_signed(signed(OLD), path, b"body")


@pytest.mark.parametrize(("kind", "index"), [("github", "handbook"), ("generic", "notes"), ("generic", "handboo")])
def test_the_secret_of_one_route_opens_no_other(kind, index):
    others = Secrets(SecretStr(OLD)).of(kind, index)
    assert not others.is_token(of_route(OLD))
    assert not others.is_signed(signed(OLD), PATH, b"body")


@pytest.mark.parametrize("secret", ["", " , ", "short", "fifteen letters", f"{OLD},short"])
def test_a_secret_that_can_be_guessed_is_refused(secret):
    with pytest.raises(ConfigurationError, match="at least 16") as refused:
        Secrets(SecretStr(secret))
    assert "short" not in str(refused.value)


def test_no_secret_is_shown():
    assert OLD not in repr(Secrets(SecretStr(OLD)))
    assert of_route(OLD) not in repr(SECRETS)


@pytest.mark.parametrize("secret", [OLD, NEW, "wrong"])
def test_all_secrets_are_compared_in_constant_time(monkeypatch, secret):
    compared = []
    real = hmac.compare_digest

    def spy(given, expected):
        compared.append(expected)
        return real(given, expected)

    monkeypatch.setattr(signatures.hmac, "compare_digest", spy)
    SECRETS.is_token(of_route(secret))
    SECRETS.is_github(secret, b"")
    SECRETS.is_signed(signed(secret), PATH, b"")
    assert len(compared) == 6


def test_nothing_is_compared_but_by_compare_digest():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(signatures))
    compares = sorted(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare))
    assert compares == [
        "len(brought) < SHORTEST",
        "min(map(len, self._secrets)) < SHORTEST",
        "parts is None",
        "parts is None",
        "scheme.lower() == 'bearer'",
    ]


def test_a_route_whose_sender_brought_a_secret_is_opened_by_that_alone():
    secrets = Secrets(SecretStr(OLD), SecretStr(" s3/handbook = the token of a bucket, github/a=sixteen letters.."))
    assert secrets.of("s3", "handbook").is_token("the token of a bucket")
    assert not secrets.of("s3", "handbook").is_token(route_secret(OLD, "s3", "handbook"))
    assert secrets.of("s3", "notes").is_token(route_secret(OLD, "s3", "notes"))


@pytest.mark.parametrize("routes", ["s3=the token of a bucket", "s3/a=short", "the token of a bucket", "s3/a/b=" + OLD])
def test_routes_that_make_no_sense_are_refused_without_showing_them(routes):
    with pytest.raises(ConfigurationError, match="RELANCE_WEBHOOK_ROUTES: entry 1 ") as refused:
        Secrets(SecretStr(OLD), SecretStr(routes))
    assert "bucket" not in str(refused.value)
