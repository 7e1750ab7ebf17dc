"""What a service of the `connector` source is: it lists what there is, reads one thing, and names both."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from relance.documents import Ignored
from relance.errors import ConfigurationError, DocumentError
from relance.sources.connector.problems import Problems
from relance.sources.connector.settings import access_of, checked, library
from relance.sources.connector.spec import ConnectorSource

__all__ = ["Fetched", "Found", "Service", "Settings"]


@dataclass(slots=True, frozen=True)
class Found:
    """One thing that a listing has.

    Attributes:
        name: that stays when it is renamed, where the service has such; what its uri ends with.
        version: changes with its text, and with who may read it.
        media_type: of what `read` returns.
        problem: why it cannot be indexed now; what is indexed of it stays. Empty where it can.
        file: what a file is called; then its media type follows from that. Empty for what is no file.
        size: bytes; 0 where the listing does not say.
    """

    name: str
    version: str
    media_type: str = "text/html"
    problem: str = ""
    file: str = ""
    size: int = 0


@dataclass(slots=True, frozen=True)
class Fetched:
    """The content of one thing, with what the service knows of it as metadata."""

    data: bytes
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Settings:
    """The settings of a section, as models of unstructured-ingest, and those that are ours by name."""

    connection: Any
    listing: Any
    ours: Mapping[str, Any]


class Service(ABC):
    """One service.

    Attributes:
        names: what names of its things look like.
        ours: settings of `connection` that unstructured-ingest has not, with their defaults.
        refused: settings of `listing` that would lose documents, with what to do.
        module: of unstructured-ingest, where it is not called as the service.
        prefix: what names of its models begin with.
    """

    names: ClassVar[re.Pattern[str]]
    ours: ClassVar[Mapping[str, str]] = {}
    refused: ClassVar[Mapping[str, str]] = {}
    module: ClassVar[str] = ""
    prefix: ClassVar[str] = ""

    def __init__(self, spec: ConnectorSource, problems: Problems) -> None:
        """Prepare; opens and imports nothing."""
        self.spec, self.problems = spec, problems

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the place in uris: the host of its address."""
        parts = urlsplit(str(connection.get("url", "")).strip())
        # Without user and password, which have no business in a uri.
        return parts.netloc.rpartition("@")[2].lower()

    @abstractmethod
    def list(self) -> Iterator[Found | DocumentError | Ignored]:
        """Stream what is there; any error of a library means that the listing broke off.

        DocumentError and Ignored have names for uris. ConfigurationError where a place does not exist.
        """

    @abstractmethod
    def read(self, name: str) -> Fetched:
        """Read one thing; any error of a library means that it cannot be read."""

    def link(self, name: str) -> str:  # noqa: ARG002  # not every service has pages by name
        """Return the page where people see a thing; empty where none follows from its name."""
        return ""

    def may_list(self, name: str) -> bool:  # noqa: ARG002  # most names do not tell
        """Tell whether this section may have listed a thing, as far as its name tells."""
        return True

    @cached_property
    def library(self) -> Any:
        """The module of unstructured-ingest; ConfigurationError where it is missing."""
        return library(self.module or self.spec.service)

    @cached_property
    def settings(self) -> Settings:
        """The checked settings; ConfigurationError says what is wrong."""
        spec, problems = self.spec, self.problems
        ours = {name: spec.connection.get(name, default) for name, default in self.ours.items()}
        for name in spec.listing:
            if reason := self.refused.get(name):
                raise ConfigurationError(f"listing.{name}: {reason}")
        for name, value in ours.items():
            if not str(value).startswith(("http://", "https://")):
                raise ConfigurationError(f"connection.{name}: expected an address that begins with https://")
        kinds = [self._model(f"{self.prefix}{kind}Config") for kind in ("Connection", "Indexer")]
        secrets = {name: value.get_secret_value() for name, value in spec.secrets.items()}
        connection = {name: value for name, value in spec.connection.items() if name not in ours}
        access = access_of(kinds[0], secrets, problems)
        return Settings(
            checked(kinds[0], "connection", connection, problems, access_config=access),
            checked(kinds[1], "listing", spec.listing, problems),
            ours,
        )

    def _model(self, name: str) -> Any:
        return getattr(self.library, name)
