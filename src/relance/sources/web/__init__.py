"""The source `web`: pages found by sitemaps, feeds, links, or named one by one."""

from relance.sources.web.spec import WebSource
from relance.sources.web.web import Web

__all__ = ["Web", "WebSource"]
