"""The section of a `connector` source."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr

from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV

__all__ = ["ConnectorSource"]


class ConnectorSource(SourceSpec, title="Connector"):
    """Pages, issues, messages or files of a service, by the settings of unstructured-ingest."""

    type: Literal["connector"] = Field(title="Type", examples=["connector"])
    """What kind of source this is; `connector` reads a service such as Confluence."""
    service: Literal["confluence", "google-drive", "jira", "notion", "onedrive", "sharepoint", "slack"] = Field(
        title="Service", examples=["confluence"]
    )
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
    """Whether the readers of a document become its `principals`, where the service names them (Confluence, Google
    Drive, OneDrive, SharePoint). A document whose readers it does not name is a failure then. `false` saves the
    requests."""
