"""The services of the `connector` source by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from relance.sources.connector.confluence import Confluence
from relance.sources.connector.google_drive import GoogleDrive
from relance.sources.connector.jira import Jira
from relance.sources.connector.notion import Notion
from relance.sources.connector.onedrive import OneDrive
from relance.sources.connector.service import Service
from relance.sources.connector.sharepoint import SharePoint
from relance.sources.connector.slack import Slack

__all__ = ["SERVICES"]

SERVICES: Mapping[str, type[Service]] = MappingProxyType(
    {
        "confluence": Confluence,
        "google-drive": GoogleDrive,
        "jira": Jira,
        "notion": Notion,
        "onedrive": OneDrive,
        "sharepoint": SharePoint,
        "slack": Slack,
    }
)
