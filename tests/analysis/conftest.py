"""What analyses of pictures start from."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def vision(emulator: Any) -> dict[str, Any]:
    """The `media` section of a spec: a model at the emulator, which tells pictures by their colours, without limits."""
    model = {
        "model": "dashscope/tongyi-embedding-vision-plus",
        "base_url": f"{emulator.url}/api/v1",
        "api_key": "sk-a",
        "requests_per_minute": 1_000_000,
        "tokens_per_minute": 1_000_000_000,
    }
    return {"embedding": model}
