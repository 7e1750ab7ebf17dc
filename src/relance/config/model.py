"""What the sections have in common that name a model of a provider."""

from __future__ import annotations

from pydantic import Field, field_validator

from relance.config.plugin_section import PluginSpec
from relance.config.spec_model import ENV

__all__ = ["MODEL_NAME", "ModelSpec"]

MODEL_NAME = r"^[a-z0-9_-]+/.+$"


class ModelSpec(PluginSpec, title="Model"):
    """Which model is called, and how its service is."""

    model: str = Field(title="Model", pattern=MODEL_NAME)
    """`provider/model`."""
    base_url: str = Field(
        default="", title="Service address", json_schema_extra=ENV, examples=["http://127.0.0.1:11434/v1"]
    )
    """Where the service listens; empty is the provider's own."""
    timeout_s: float = Field(default=60.0, title="Timeout", gt=0)
    """Seconds one request may take."""
    max_attempts: int = Field(default=6, title="Attempts", ge=1, le=50)
    """How often one request is tried before it is given up."""
    price_per_million_tokens: float | None = Field(default=None, title="Price", ge=0)
    """US dollars per million input tokens; without it the built-in price table."""

    @field_validator("base_url")
    @classmethod
    def _base_url_is_web(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return value

    @property
    def provider(self) -> str:
        """The part of `model` before the slash."""
        return self.model.partition("/")[0]
