"""Tables of a lake in a bucket, with credentials."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lakes import LakeTable, some_rows
from rows import rows
from servers import free_port

from relance.errors import ConfigurationError, SourceError

SECRET = "s3cret-of-a-bucket"


@pytest.fixture(scope="module")
def endpoint() -> Generator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def options(endpoint: str, **others: str) -> dict[str, str]:
    given = {"aws_access_key_id": "key", "aws_secret_access_key": SECRET, "aws_region": "us-east-1"}
    return given | {"aws_endpoint": endpoint, "aws_allow_http": "true"} | others


def put(endpoint: str, bucket: str, folder: Path) -> None:
    """Make a bucket of what is in a folder."""
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20240101/us-east-1/s3/aws4_request"}
    with httpx.Client(base_url=endpoint, headers=headers, trust_env=False) as client:
        client.put(f"/{bucket}")
        listed = client.get(f"/{bucket}").text
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(folder).as_posix()
            if path.is_file() and f"<Key>lake/{key}<" not in listed:
                client.put(f"/{bucket}/lake/{key}", content=path.read_bytes()).raise_for_status()


def section(bucket: str, **others: Any) -> dict[str, Any]:
    return {"uri": f"s3://{bucket}/lake"} | others


@pytest.mark.parametrize("form", ["parquet", "delta", "lance"])
def test_a_table_in_a_bucket_is_followed(make_lake, endpoint, form):
    lake: LakeTable = make_lake(form)
    lake.write(some_rows())
    put(endpoint, form, lake.place)
    index = lake.index(**section(form, storage_options=options(endpoint)))
    assert index.ingest().added == 9
    assert rows(index)[0]["uri"].startswith(f"s3://{form}/lake")
    assert index.ingest().unchanged == 9
    if form == "delta":
        lake.write(some_rows(5))
        put(endpoint, form, lake.place)
        assert index.ingest().removed == 4


@pytest.mark.parametrize("form", ["parquet", "delta", "lance"])
def test_a_bucket_that_is_away_shows_no_secret(make_lake, form):
    away = options(
        f"http://127.0.0.1:{free_port()}", **({"max_retries": "1", "retry_timeout": "1s"} if form != "parquet" else {})
    )
    if form == "lance":
        away |= {"client_max_retries": "1", "client_retry_timeout": "1"}
    source = make_lake(form).source(**section("b", storage_options=away))
    with pytest.raises(SourceError) as caught:
        [*source.list()]
    assert SECRET not in str(caught.value) + repr(source.spec) + source.spec.model_dump_json()


def test_a_place_that_is_not_read_is_said(make_lake):
    with pytest.raises(ConfigurationError, match="gs:// is not read here"):
        [*make_lake("parquet").source(uri="gs://b/lake").list()]
    with pytest.raises(ConfigurationError, match="'nix' is not known"):
        [*make_lake("parquet").source(uri="s3://b/lake", storage_options={"nix": "x"}).list()]
