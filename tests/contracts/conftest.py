"""Calls of a protocol with no client, no proxy and no configuration file of the developer's in between."""

import functools
import ssl

import httpx
import pytest

CERTIFICATES = functools.cache(ssl.create_default_context)


@pytest.fixture
def no_proxy(monkeypatch, tmp_path):
    """Neither a proxy nor a configuration file of the developer's has a say."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HOME", str(tmp_path))
    # Every client of these packages reads the system's certificates, a tenth of a second that plain HTTP can do without.
    monkeypatch.setattr(ssl, "create_default_context", CERTIFICATES)


@pytest.fixture
def reference(emulator):
    """The same call without any client."""

    def ask(path, body, **headers):
        with httpx.Client(trust_env=False) as plain:
            return plain.post(
                f"{emulator.url}{path}", json=body, headers={"authorization": "Bearer sk-test", **headers}
            )

    return ask
