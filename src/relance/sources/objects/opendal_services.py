"""The section of a source as options of opendal: each service has names of its own."""

from __future__ import annotations

import base64
from collections.abc import Callable

from relance.sources.objects.address import Address
from relance.sources.objects.spec import ObjectsSource

__all__ = ["service_options"]

_Options = dict[str, str]


def service_options(address: Address, section: ObjectsSource) -> tuple[str, _Options]:
    """Return opendal's name of a service with its options; those that are empty are not set."""
    name, make = _SERVICES[address.kind]
    return name, make(address, section)


def _keys(section: ObjectsSource, key_id: str, secret: str, token: str = "") -> _Options:
    """Put the credentials under the names that a service has for them."""
    named = {key_id: section.key_id, secret: section.secret, token: section.token}
    return {name: value.get_secret_value() for name, value in named.items() if name}


def _bucket(address: Address, section: ObjectsSource) -> _Options:
    anonymous = {"allow_anonymous": "true", "skip_signature": "true"} if section.anonymous else {}
    return {"bucket": address.place, "endpoint": section.endpoint, **anonymous}


def _s3(address: Address, section: ObjectsSource) -> _Options:
    own = {"region": section.region or ("us-east-1" if section.endpoint else "")}
    own |= {"enable_request_payer": "true"} if section.requester_pays else {}
    own |= {} if section.endpoint else {"enable_virtual_host_style": "true"}
    return _bucket(address, section) | own | _keys(section, "access_key_id", "secret_access_key", "session_token")


def _gcs(address: Address, section: ObjectsSource) -> _Options:
    secret = section.secret.get_secret_value()
    return _bucket(address, section) | {"credential": base64.b64encode(secret.encode()).decode()}


def _azure(address: Address, section: ObjectsSource) -> _Options:
    container, _, host = address.place.partition("@")
    keys = _keys(section, "account_name", "account_key", "sas_token")
    keys["account_name"] = keys["account_name"] or host.partition(".")[0]
    endpoint = section.endpoint or f"https://{keys['account_name']}.blob.core.windows.net"
    return {"container": container, "endpoint": endpoint} | keys


def _oss(address: Address, section: ObjectsSource) -> _Options:
    endpoint = section.endpoint or (f"https://oss-{section.region}.aliyuncs.com" if section.region else "")
    keys = _keys(section, "access_key_id", "access_key_secret", "security_token")
    return _bucket(address, section) | keys | {"endpoint": endpoint}


def _cos(address: Address, section: ObjectsSource) -> _Options:
    return _bucket(address, section) | _keys(section, "secret_id", "secret_key", "security_token")


def _obs(address: Address, section: ObjectsSource) -> _Options:
    return _bucket(address, section) | _keys(section, "access_key_id", "secret_access_key")


def _webdav(address: Address, section: ObjectsSource) -> _Options:
    scheme = "https" if address.scheme == "webdavs" else "http"
    keys = _keys(section, "username", "password", "token")
    return {"endpoint": section.endpoint or f"{scheme}://{address.place}"} | keys


def _webhdfs(address: Address, section: ObjectsSource) -> _Options:
    return {
        "endpoint": section.endpoint or f"http://{address.place}",
        "user_name": section.key_id.get_secret_value(),
        "delegation": section.token.get_secret_value(),
    }


def _hdfs(address: Address, section: ObjectsSource) -> _Options:
    return {"name_node": section.endpoint or f"hdfs://{address.place}"}


_SERVICES: dict[str, tuple[str, Callable[[Address, ObjectsSource], _Options]]] = {
    "s3": ("s3", _s3),
    "gcs": ("gcs", _gcs),
    "azure": ("azblob", _azure),
    "oss": ("oss", _oss),
    "cos": ("cos", _cos),
    "obs": ("obs", _obs),
    "webdav": ("webdav", _webdav),
    "webhdfs": ("webhdfs", _webhdfs),
    "hdfs": ("hdfs_native", _hdfs),
}
