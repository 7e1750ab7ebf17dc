"""Where the tables are."""

from __future__ import annotations

from pydantic import ByteSize, Field, SecretStr

from relance.config.spec_model import ENV, MIB, Size, SpecModel

__all__ = ["StoreSpec"]


class StoreSpec(SpecModel, title="Store"):
    """Where the tables are."""

    uri: str = Field(
        default="./lancedb",
        title="Address",
        min_length=1,
        json_schema_extra=ENV,
        examples=["./lancedb", "s3://bucket/path"],
    )
    """A folder (relative to the spec file), `s3://bucket/path` or another object store, or `db://database`."""
    storage_options: dict[str, SecretStr] = Field(
        default={}, title="Storage options", json_schema_extra=ENV, examples=[{"region": "eu-west-3"}]
    )
    """Passed to the object store: endpoint, region, keys."""
    api_key: SecretStr = Field(default=SecretStr(""), title="LanceDB Cloud key", json_schema_extra=ENV)
    """For `db://`; better in the environment as LANCEDB_API_KEY."""
    block: str = Field(default="", title="Block", examples=["shared"])
    """Name of a Prefect block (`StoreLocation`) with address, options and key, instead of them here."""
    retention_days: float = Field(default=7.0, title="Retention", gt=0)
    """How long old versions stay: as far back as `relance rollback` can go."""
    cache_max_bytes: Size = Field(default=ByteSize(4096 * MIB), title="Embedding cache", examples=["10GB"])
    """Size the embedding cache is pruned to, oldest first, at the end of a run."""
