"""S3, GCS, Azure, and what speaks one of their protocols, by obstore."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from relance.errors import MissingExtraError
from relance.sources.objects.address import Address
from relance.sources.objects.bucket import BucketError, Found, Opened, UnlistableKeyError, alias_of
from relance.sources.objects.spec import ObjectsSource
from relance.sources.objects.words import error_of

__all__ = ["ObstoreBucket"]

_CHUNK = 1000  # objects that come from obstore at once, which is a page of S3
_RETRIES: dict[str, Any] = {"max_retries": 5, "retry_timeout": timedelta(seconds=120)}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ALIASED = "its key ends with /, which cannot be addressed; rename it"


class ObstoreBucket:
    """A bucket by obstore."""

    def __init__(self, address: Address, section: ObjectsSource) -> None:
        """Prepare; asks nothing. Raises MissingExtraError, and BucketError for options that are unknown."""
        try:
            import obstore
        except ImportError as error:
            raise MissingExtraError("a source of type objects", "objects") from error
        self._obstore = obstore
        self._store = _opened(address, section)

    def list(self, prefix: str) -> Iterator[Found]:
        """Stream the objects.

        Obstore takes slashes off the ends of keys, so that two of them can look the same; the order, which is that of
        the whole keys, gives them away.
        """
        before = b""
        try:
            for page in self._obstore.list(self._store, prefix or None, chunk_size=_CHUNK):
                for each in page:
                    key: str = each["path"]
                    before, cut = _later(key.encode(), before)
                    yield Found(
                        key + cut, each["size"], (each["e_tag"] or "").strip('"'), each["version"] or "",
                        each["last_modified"], _ALIASED if cut else "",
                    )  # fmt: skip
        except (BucketError, GeneratorExit):
            raise
        except self._obstore.exceptions.InvalidPathError as error:
            raise UnlistableKeyError(str(error).partition("\n")[0].partition(": ")[2]) from None
        except Exception as error:
            raise error_of(error, listing=True) from None

    def read(self, key: str, most: int) -> tuple[bytes | None, int, datetime | None]:
        """Read an object whole, unless it is too large: then nothing but its head came."""
        try:
            found = self._obstore.get(self._store, key)
            meta = found.meta
            size = meta["size"]
            data = bytes(found.bytes()) if size <= most else None
        except Exception as error:
            raise error_of(error) from None
        return data, size, meta["last_modified"]

    def open(self, key: str) -> Opened:
        """Open an object; parts of another one that took its place are refused."""
        try:
            meta = self._obstore.head(self._store, key)
        except Exception as error:
            raise error_of(error) from None
        same: dict[str, Any] = {"if_match": meta["e_tag"]} if meta["e_tag"] else {}

        def read(start: int, end: int) -> bytes:
            try:
                return bytes(self._obstore.get(self._store, key, options={"range": (start, end), **same}).bytes())
            except Exception as error:
                raise error_of(error) from None

        return Opened(meta["size"], meta["last_modified"], read)

    def sign(self, key: str, seconds: int) -> str:
        """Sign an address."""
        try:
            return self._obstore.sign(self._store, "GET", key, timedelta(seconds=seconds))
        except Exception as error:
            raise error_of(error) from None


def _later(key: bytes, before: bytes) -> tuple[bytes, str]:
    """Return the later one of two keys, and what was cut off the end of the one that comes after."""
    if key > before:
        return key, ""
    if key + b"/" <= before:
        raise BucketError(alias_of(before.decode()))
    return before, "/"


def _opened(address: Address, section: ObjectsSource) -> Any:
    from obstore.store import AzureStore, GCSStore, S3Store

    key_id, secret, token = (each.get_secret_value() for each in (section.key_id, section.secret, section.token))
    # obstore reads the endpoint of the environment, and not AWS_ALLOW_HTTP beside it.
    endpoint = section.endpoint or next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    client = {"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=60)}
    given: dict[str, Any]
    place = address.place
    if address.kind == "s3":
        kind: Any = S3Store
        given = {
            "endpoint": section.endpoint, "region": section.region or ("us-east-1" if section.endpoint else ""),
            "access_key_id": key_id, "secret_access_key": secret, "session_token": token,
            "request_payer": section.requester_pays,
        }  # fmt: skip
    elif address.kind == "gcs":
        kind = GCSStore
        given = {"base_url": section.endpoint, "service_account_key": secret and _service_account(secret)}
    else:
        kind = AzureStore
        place, _, host = place.partition("@")  # abfs://container@account.dfs.core.windows.net
        account = key_id or host.partition(".")[0]
        given = {"endpoint": section.endpoint, "account_name": account, "account_key": secret, "sas_key": token}
    config: dict[str, Any] = {name: value for name, value in given.items() if value}
    if section.anonymous:
        config["skip_signature"] = True
    config |= {name: value.get_secret_value() for name, value in section.options.items()}
    try:
        return kind(place, config=config, client_options=client, retry_config=_RETRIES)
    except Exception as error:
        raise error_of(error) from None


def _service_account(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        raise BucketError("secret: expected the JSON of a service account's key") from None
    return text
