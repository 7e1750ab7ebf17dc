"""The section of an `objects` source."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from relance.config.patterns import checked_patterns
from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV
from relance.sources.objects.address import SCHEMES, Address

__all__ = ["ObjectsSource"]

_LASTS = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhd])")
_QUEUE = re.compile(r"https?://[^/?#@]+(?:/[^/?#]+){2,}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 7 * 86400  # what S3 signs at most


class ObjectsSource(SourceSpec, title="Objects"):
    """Objects of a bucket, and files of a server that lists them."""

    type: Literal["objects"] = Field(title="Type", examples=["objects"])
    """What kind of source this is; `objects` reads a bucket."""
    url: str = Field(
        title="Address", json_schema_extra=ENV, examples=["s3://bucket/docs", "gs://bucket", "oss://bucket/docs"]
    )
    """Bucket and folder: `s3://`, `gs://`, `az://container`, `abfs://container@account.dfs.core.windows.net`; with the
    extra `opendal` also `oss://`, `cos://`, `obs://`, `webdav://host/folder`, `webdavs://`, `hdfs://`, `webhdfs://`."""
    include: list[str] = Field(default=["**/*"], title="Include", min_length=1, examples=[["**/*.md", "**/*.pdf"]])
    """Patterns a key must match one of, relative to the folder; `**` crosses folders, a pattern without `/` matches in
    every folder."""
    exclude: list[str] = Field(default=[], title="Exclude", examples=[["drafts/**"]])
    """Patterns that take a key out again."""
    hidden: bool = Field(default=False, title="Hidden objects")
    """Whether names that begin with a dot are read."""
    endpoint: str = Field(
        default="", title="Endpoint", json_schema_extra=ENV, examples=["https://minio.example.com:9000"]
    )
    """Where the service is, if it is not the vendor's own: MinIO, R2, Ceph, OSS."""
    region: str = Field(default="", title="Region", json_schema_extra=ENV, examples=["eu-west-3"])
    """Region of the bucket, where the service has some."""
    key_id: SecretStr = Field(
        default=SecretStr(""), title="Key id", json_schema_extra=ENV, examples=["${AWS_ACCESS_KEY_ID}"]
    )
    """Id of the access key; of Azure the account, of WebDAV and HDFS the user. Without keys, the library's environment
    and the credentials of the machine count."""
    secret: SecretStr = Field(
        default=SecretStr(""), title="Secret key", json_schema_extra=ENV, examples=["${AWS_SECRET_ACCESS_KEY}"]
    )
    """The access key; of GCS the JSON of a service account, of WebDAV the password."""
    token: SecretStr = Field(default=SecretStr(""), title="Token", json_schema_extra=ENV)
    """Session token of temporary keys; of Azure a shared access signature, of WebDAV a bearer token."""
    anonymous: bool = Field(default=False, title="Anonymous")
    """Whether requests are not signed, as public buckets allow."""
    requester_pays: bool = Field(default=False, title="Requester pays")
    """Whether we pay for what we fetch, as some buckets of S3 demand."""
    presign: str = Field(default="", title="Presigned addresses", examples=["2h"])
    """So long the addresses last by which an embedding service fetches images and videos of a private bucket itself:
    a number with s, m, h or d, at most `7d`. Empty: it gets images as bytes, and no videos."""
    public_url: str = Field(
        default="", title="Public address", json_schema_extra=ENV, examples=["https://cdn.example.com/media/"]
    )
    """Where services can fetch the folder's objects without a signature; it goes before `presign`."""
    queue: str = Field(
        default="", title="Queue of notifications", json_schema_extra=ENV,
        examples=["https://sqs.eu-west-3.amazonaws.com/123456789012/wiki-changes"],
    )  # fmt: skip
    """Address of an SQS queue that gets the notifications of an S3 bucket: `relance watch` receives them from there. No
    other index may read it. Needs the extra `sqs`."""
    options: dict[str, SecretStr] = Field(
        default={}, title="Options", json_schema_extra=ENV, examples=[{"virtual_hosted_style_request": "true"}]
    )
    """More options of the library, by its names: obstore's config keys, or what opendal's service takes."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take what begins as a bucket's address does; credentials are the environment's."""
        return {"type": "objects", "url": address} if address.partition("://")[0].lower() in SCHEMES else None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        Address.read(value)
        return value

    @field_validator("endpoint", "public_url")
    @classmethod
    def _is_http(cls, value: str, info: ValidationInfo) -> str:
        schemes = ("http://", "https://", "hdfs://") if info.field_name == "endpoint" else ("http://", "https://")
        if value and not value.lower().startswith(schemes):
            msg = f"{value!r} is no address; it begins with http:// or https://"
            raise ValueError(msg)
        return value

    @field_validator("queue")
    @classmethod
    def _is_a_queue(cls, value: str, info: ValidationInfo) -> str:
        if value and not _QUEUE.fullmatch(value):
            msg = f"{value!r} is no address of a queue; it looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
            raise ValueError(msg)
        if value and "url" in info.data and Address.read(info.data["url"]).kind != "s3":
            msg = "only buckets of s3:// send to such a queue; for others `relance webhook` takes notifications"
            raise ValueError(msg)
        return value

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: list[str], info: ValidationInfo) -> list[str]:
        return checked_patterns(patterns, info.field_name, "`url`")

    @field_validator("presign", mode="before")
    @classmethod
    def _lasts(cls, value: Any) -> Any:
        if isinstance(value, str) and value:
            found = _LASTS.fullmatch(value)
            if not found or not 0 < int(found["count"]) * _SECONDS[found["unit"]] <= _LONGEST_S:
                msg = f"{value!r} is no duration; write a number with s, m, h or d, such as 2h, and at most 7d"
                raise ValueError(msg)
        return value

    @property
    def presign_s(self) -> int:
        """Seconds that a presigned address lasts; 0 where there are none."""
        found = _LASTS.fullmatch(self.presign)
        return int(found["count"]) * _SECONDS[found["unit"]] if found else 0
