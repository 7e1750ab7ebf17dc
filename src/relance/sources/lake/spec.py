"""The section of a source of lake tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from relance.config.spec_model import ENV
from relance.config.tables import TablesSpec

__all__ = ["FormatName", "LakeSpec"]

FormatName = Literal["parquet", "delta", "iceberg", "lance"]


class LakeSpec(TablesSpec, title="Lake table"):
    """Rows of a table in a lake: each row is a document, or an image or video."""

    no_encoding = "these tables have no encoding of their own; leave it out"

    type: Literal["lake"] = Field(default="lake", title="Type", examples=["lake"])
    """What kind of source this is; `lake` reads a Parquet dataset, or a table of Delta, Iceberg or LanceDB."""
    format: FormatName = Field(title="Format", examples=["delta"])
    """What the table is."""
    uri: str = Field(default="", title="Place", json_schema_extra=ENV, examples=["./events", "s3://lake/events"])
    """Where it is: a folder (relative to the spec file) or `s3://…`, of a Parquet dataset, a table of Delta, a database
    of LanceDB, or a table of Iceberg without a catalog (its folder, or its `….metadata.json`)."""
    table: str = Field(default="", title="Table", examples=["shop.products"])
    """Name of the table: in the database of LanceDB, or in the catalog of Iceberg (`NAMESPACE.TABLE`)."""
    at: int | None = Field(default=None, title="Version", ge=0, examples=[12])
    """Version of the table (of Iceberg the snapshot's id) that is read for good; without it the newest."""
    storage_options: dict[str, SecretStr] = Field(
        default={}, title="Storage options", json_schema_extra=ENV,
        examples=[{"aws_access_key_id": "${AWS_KEY}", "aws_secret_access_key": "${AWS_SECRET}"}],
    )  # fmt: skip
    """Keys, region, endpoint and the like, by the names of the format's library; for Parquet as for Delta and LanceDB:
    `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`, `aws_region`, `aws_endpoint`."""
    catalog: dict[str, SecretStr] = Field(
        default={}, title="Catalog", json_schema_extra=ENV,
        examples=[{"type": "rest", "uri": "https://catalog.example.com", "token": "${TOKEN}"}],
    )  # fmt: skip
    """Properties of the catalog of Iceberg, as PyIceberg has them, and its `name` there (`default`)."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take a folder that is a table of Delta, or in which all files are Parquet."""
        if "://" in address or not Path(address).is_dir():
            return None
        from relance.sources.lake.first_look import first_look

        return first_look(Path(address))

    @model_validator(mode="after")
    def _place_is_said(self) -> Self:
        problem = ""
        if self.format == "iceberg" and bool(self.catalog) == bool(self.uri):
            problem = "format `iceberg` needs one of `catalog` and `uri`"
        elif self.format != "iceberg" and (self.catalog or not self.uri):
            problem = f"format `{self.format}` needs `uri`, and no `catalog`"
        elif bool(self.table) != (self.format == "lance" or bool(self.catalog)):
            problem = "`table` is for LanceDB and for catalogs, which need it"
        elif self.format == "parquet" and self.at is not None:
            problem = "a Parquet dataset has no versions; leave `at` out"
        if problem:
            raise ValueError(problem)
        return self
