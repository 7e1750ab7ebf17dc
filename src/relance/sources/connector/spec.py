"""The section of a `connector` source."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr

from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV

__all__ = ["ConnectorSource"]


class ConnectorSource(SourceSpec, title="Connector"):
    """Pages, issues or messages of a service, through unstructured-ingest."""

    type: Literal["connector"] = Field(title="Type", examples=["connector"])
    """What kind of source this is; `connector` reads a service such as Confluence."""
    service: Literal["confluence", "jira", "notion", "slack"] = Field(title="Service", examples=["confluence"])
    """Which service; docs/sources/connector.md has the settings of each."""
    connection: dict[str, Any] = Field(
        default={}, title="Connection", json_schema_extra=ENV, examples=[{"url": "https://example.atlassian.net/wiki"}]
    )
    """Where the service is and who asks, by the names of unstructured-ingest; no secrets."""
    secrets: dict[str, SecretStr] = Field(
        default={}, title="Secrets", json_schema_extra=ENV, examples=[{"api_token": "${CONFLUENCE_TOKEN}"}]
    )
    """Keys, tokens and passwords, by the names of unstructured-ingest (its access_config); never shown."""
    listing: dict[str, Any] = Field(default={}, title="Listing", examples=[{"spaces": ["ENG"]}])
    """What is listed, by the names of unstructured-ingest (its index config)."""
    permissions: bool = Field(default=True, title="Permissions")
    """Whether who may read a thing is kept as `principals`, where the service tells (Confluence). Then what of a thing
    it does not tell is a failure. With `false` it is not asked, which saves a request a page."""
