"""What is secret or shared by indexes, kept by Prefect: credentials and the place of the store."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import httpx
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import Field, SecretStr

from relance.config import IndexSpec, StoreSpec
from relance.config.embedding import EmbeddingSpec
from relance.errors import ConfigurationError
from relance.safe_text import redact
from relance_operate.api import find_api

__all__ = ["BLOCKS", "DashScopeCredentials", "OpenAICredentials", "StoreLocation", "with_blocks"]


class DashScopeCredentials(Block):
    """The key to Alibaba Cloud Model Studio, and the region it belongs to."""

    _block_type_name: ClassVar[str | None] = "DashScope Credentials"
    _block_type_slug: ClassVar[str | None] = "dashscope-credentials"
    _description: ClassVar[str | None] = (
        "Key and region of Alibaba Cloud Model Studio; a spec names it: embedding.credentials."
    )

    api_key: SecretStr = Field(title="Key", description="The key; it works in its own region only.")
    region: Literal["singapore", "beijing", "hongkong", "us"] = Field(
        default="singapore", title="Region", description="Where the key belongs to."
    )
    workspace: str = Field(default="", title="Workspace", description="Workspace that is billed; empty: the key's own.")
    base_url: str = Field(default="", title="Address", description="Of a gateway or emulator; empty: the region's own.")


class OpenAICredentials(Block):
    """The key to a service that speaks OpenAI's protocol, and its address."""

    _block_type_name: ClassVar[str | None] = "OpenAI-compatible Credentials"
    _block_type_slug: ClassVar[str | None] = "openai-compatible-credentials"
    _description: ClassVar[str | None] = (
        "Key and address of an embedding service; a spec names it: embedding.credentials."
    )

    api_key: SecretStr = Field(title="Key", description="The key.")
    base_url: str = Field(default="", title="Address", description="Up to and including /v1; empty: OpenAI's own.")


class StoreLocation(Block):
    """Where LanceDB tables are: a folder, a bucket or LanceDB Cloud."""

    _block_type_name: ClassVar[str | None] = "LanceDB Store"
    _block_type_slug: ClassVar[str | None] = "lancedb-store"
    _description: ClassVar[str | None] = "Address, options and key of a LanceDB store; a spec names it: store.block."

    uri: str = Field(title="Address", description="A folder, s3://bucket/path, or db://database.")
    storage_options: dict[str, SecretStr] = Field(
        default={}, title="Storage options", description="Endpoint, region and keys of the object store."
    )
    api_key: SecretStr = Field(default=SecretStr(""), title="LanceDB Cloud key", description="For db:// only.")


BLOCKS: tuple[type[Block], ...] = (DashScopeCredentials, OpenAICredentials, StoreLocation)
_CREDENTIALS: dict[str, type[Block]] = {"dashscope": DashScopeCredentials, "openai": OpenAICredentials}


def with_blocks(spec: IndexSpec) -> IndexSpec:
    """Fill in what a spec leaves to blocks; what the spec says itself wins, but for the key.

    Raises ConfigurationError for a block that is not there, or not of the kind that is needed.
    """
    changes: dict[str, object] = {}
    if spec.embedding.credentials:
        changes["embedding"] = _with_credentials(spec.embedding, "embedding")
    if spec.media and spec.media.embedding.credentials:
        embedding = _with_credentials(spec.media.embedding, "media.embedding")
        changes["media"] = spec.media.model_copy(update={"embedding": embedding})
    if spec.store.block:
        changes["store"] = _with_store(spec.store)
    return spec.model_copy(update=changes) if changes else spec


def _with_credentials(section: EmbeddingSpec, where: str) -> EmbeddingSpec:
    kind = _CREDENTIALS.get(section.provider)
    if kind is None:
        msg = f"{where}.credentials: models of {section.provider!r} take no credentials; remove the line"
        raise ConfigurationError(msg)
    block = _load(kind, section.credentials, f"{where}.credentials")
    said = section.model_fields_set
    values = {name: getattr(block, name) for name in type(block).model_fields if name in type(section).model_fields}
    return section.model_copy(
        update={name: value for name, value in values.items() if name == "api_key" or (value and name not in said)}
    )


def _with_store(section: StoreSpec) -> StoreSpec:
    block = _load(StoreLocation, section.block, "store.block")
    return section.model_copy(update={name: getattr(block, name) for name in ("uri", "storage_options", "api_key")})


def _load(kind: type[Block], name: str, where: str) -> Block:
    slug = kind.get_block_type_slug()
    try:
        address = PREFECT_API_URL.value() or find_api()  # else Prefect would start a server, which has no blocks
    except ConfigurationError as error:
        msg = f"{where}: the block {slug}/{name} is kept by a Prefect server, and {error}"
        raise ConfigurationError(msg) from None
    try:
        with temporary_settings({PREFECT_API_URL: address}):
            block: Any = kind.load(name, _sync=True)  # Prefect's door to the sync version
    except httpx.TransportError as error:
        msg = f"{where}: the block {slug}/{name} is kept by a Prefect server, and {redact(address)} does not answer"
        raise ConfigurationError(f"{msg} ({error}); is it running?") from error
    except ValueError as error:
        msg = f"{where}: there is no block {slug}/{name}; make it in the Prefect UI under Blocks"
        raise ConfigurationError(f"{msg} (`relance up --bootstrap-only` registers its type)") from error
    return block
