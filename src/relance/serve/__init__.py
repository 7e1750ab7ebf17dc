"""Indexes served to programs: an HTTP API, and an MCP server for assistants."""

from __future__ import annotations

from relance.serve.config import ServeConfig, ServeLimits
from relance.serve.server import running, serve, serve_stdio

__all__ = ["ServeConfig", "ServeLimits", "running", "serve", "serve_stdio"]
