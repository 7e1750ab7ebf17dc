"""The certificates by which services are trusted, as the environment names them."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

from relance.errors import ConfigurationError

__all__ = ["trusted"]

# The first that is set decides, as it does for curl and Python's own clients.
_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trusted() -> ssl.SSLContext:
    """Return what services are trusted by: SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE, else Mozilla's list.

    Raises ConfigurationError, with variable and file, where that cannot be read.
    """
    for variable in _VARIABLES:
        if path := os.environ.get(variable, ""):
            return _read(variable, path)
    return _read("", "")


@cache
def _read(variable: str, path: str) -> ssl.SSLContext:
    """Load certificates, once: it takes a tenth of a second."""
    if not path:
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    folders = [part for part in path.split(os.pathsep) if Path(part).is_dir()]  # OpenSSL takes several
    try:
        if folders or Path(path).exists():
            context = (
                ssl.create_default_context(capath=folders[0]) if folders else ssl.create_default_context(cafile=path)
            )
            for folder in folders[1:]:
                context.load_verify_locations(capath=folder)
            # On by default from Python 3.13; authorities of companies are often older than what it asks for.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            return context
        why = "is not there"
    except ssl.SSLError:
        why = "holds no certificates in PEM form"
    except OSError as error:
        why = f"cannot be read ({error.strerror or error})"
    msg = f"{variable}: {path} {why}; name a file of trusted certificates, or unset the variable"
    raise ConfigurationError(msg)
