"""A short hash of settings."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from relance.documents import digest

__all__ = ["fingerprint"]


def fingerprint(*parts: Any) -> str:
    """Hash settings that decide a result to 16 hex digits; parts are models or JSON values."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return digest("fingerprint", json.dumps(plain, sort_keys=True, ensure_ascii=False), size=8)
