"""What the environment says (and `.env` in the working directory); what it says of Prefect: `events/settings.py`."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from relance.config.finding import findings
from relance.errors import ConfigurationError

__all__ = ["Settings", "read_settings"]


class Settings(BaseSettings):
    """Secrets, and switches for tests and benchmarks. Everything else is in the spec.

    Attributes:
        openai_api_key: OPENAI_API_KEY, the key of models `openai/…`.
        azure_openai_api_key: AZURE_OPENAI_API_KEY, the key for addresses of Azure OpenAI.
        openai_base_url: OPENAI_BASE_URL, used where the spec names no address.
        dashscope_api_key: DASHSCOPE_API_KEY, the key of models `dashscope/…`.
        dashscope_base_url: DASHSCOPE_BASE_URL or DASHSCOPE_HTTP_BASE_URL, as the official clients know them; used
            where the spec names no address, e.g. to try everything with `relance emulator`.
        dashscope_workspace_id: DASHSCOPE_WORKSPACE_ID, the workspace that is billed, where the spec names none.
        lancedb_api_key: LANCEDB_API_KEY, the key of stores `db://…`.
        metrics_token: RELANCE_METRICS_TOKEN, what asks for `/metrics` has to send as `Authorization: Bearer …`.
        explore_url: RELANCE_EXPLORE_URL, where people open explore, to be linked; `{index}` in it becomes the name.
        fake_log: RELANCE_FAKE_LOG, file the fake provider appends every request to.
        fake_delay_s: RELANCE_FAKE_DELAY_S, seconds every request to the fake provider takes.
    """

    # An empty variable is one that is not set: `OPENAI_API_KEY= relance run` means no key.
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    openai_api_key: SecretStr = SecretStr("")
    azure_openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str = ""
    dashscope_api_key: SecretStr = SecretStr("")
    dashscope_base_url: str = Field(
        default="", validation_alias=AliasChoices("dashscope_base_url", "dashscope_http_base_url")
    )
    dashscope_workspace_id: str = ""
    lancedb_api_key: SecretStr = SecretStr("")
    metrics_token: SecretStr = Field(default=SecretStr(""), validation_alias="relance_metrics_token")
    explore_url: str = Field(default="", pattern="^(https?://.*)?$", validation_alias="relance_explore_url")
    fake_log: Path | None = Field(default=None, validation_alias="relance_fake_log")
    fake_delay_s: float = Field(default=0.0, ge=0, validation_alias="relance_fake_delay_s")


def read_settings() -> Settings:
    """Read the environment now; raises ConfigurationError that names the variable, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        found = findings(error.errors(), Settings.model_fields, private=True)
        problems = [f"{name.upper()}: {said}" for name, said in found]
        raise ConfigurationError(f"The environment is wrong: {'; '.join(problems)}.") from None
