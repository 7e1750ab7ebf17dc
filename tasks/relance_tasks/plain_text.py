"""Texts of others in Markdown."""

from __future__ import annotations

import re

__all__ = ["escape"]


def escape(text: str) -> str:
    """Keep names and reasons from being read as Markdown or HTML: documents are called anything."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", " ".join(text.split()))
