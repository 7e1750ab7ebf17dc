"""Pages, issues, messages and files of services, by the settings, and some clients, of unstructured-ingest."""

from __future__ import annotations

from relance.sources.connector.source import Connector

__all__ = ["Connector"]
