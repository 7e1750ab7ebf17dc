"""Fetch what others have named: pictures, films and pages at addresses that come from documents and manifests.

Such an address is input like any other. It may point at this machine, at the network behind it or at a cloud's metadata
service, by name, by number or by redirect; its server may answer with too much, too slowly or with a lie.
"""

from __future__ import annotations

from relance.fetch.fetched import Fetched, RefusedBodyError
from relance.fetch.fetcher import Fetcher
from relance.fetch.host import HostRules
from relance.fetch.policy import FetchPolicy
from relance.fetch.syntax import UnsafeURLError
from relance.fetch.urls import check_url

__all__ = ["FetchPolicy", "Fetched", "Fetcher", "HostRules", "RefusedBodyError", "UnsafeURLError", "check_url"]
