"""A local web page to look at an index."""

from __future__ import annotations

from relance.explore.serve import ExploreConfig, running, serve

__all__ = ["ExploreConfig", "running", "serve"]
