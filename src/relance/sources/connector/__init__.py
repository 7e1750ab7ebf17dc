"""Pages, issues and messages of services, through the settings and clients of unstructured-ingest."""

from __future__ import annotations

from relance.sources.connector.source import Connector

__all__ = ["Connector"]
