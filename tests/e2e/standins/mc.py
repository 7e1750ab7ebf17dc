#!/opt/minio/bin/python
"""Stands in for MinIO's client: of its commands those that infra/compose.yaml and infra/README.md give."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import boto3

COMMAND, *ARGUMENTS = [argument for argument in sys.argv[1:] if not argument.startswith("--")]


def client(alias: str) -> Any:
    """Connect to `local`, or to what MC_HOST_<alias> names as http://KEY:SECRET@HOST:PORT."""
    url = urlsplit(os.environ.get(f"MC_HOST_{alias}", "http://key:secret@127.0.0.1:9000"))
    return boto3.client(
        "s3",
        endpoint_url=f"{url.scheme}://{url.hostname}:{url.port}",
        aws_access_key_id=url.username,
        aws_secret_access_key=url.password,
        region_name="us-east-1",
    )


match COMMAND, *ARGUMENTS:
    case "ready", alias:
        client(alias).list_buckets()
    case "mb", *buckets:
        for bucket in buckets:
            alias, _, name = bucket.partition("/")
            client(alias).create_bucket(Bucket=name)
    case "event", "add", "put,delete", place, arn:
        alias, _, name = place.partition("/")
        target = arn.split(":")[4]  # arn:minio:sqs::RELANCE:webhook; moto knows queues of Amazon's only
        queue = {
            "QueueArn": f"arn:aws:sqs:us-east-1:1:{target}",
            "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        }
        configuration = {"QueueConfigurations": [queue]}
        client(alias).put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    case "pipe", place:
        alias, name, key = place.split("/", 2)
        client(alias).put_object(Bucket=name, Key=key, Body=sys.stdin.buffer.read())
    case "rm", place:
        alias, name, key = place.split("/", 2)
        client(alias).delete_object(Bucket=name, Key=key)
    case _:
        sys.exit(f"this stand-in for mc does not know {sys.argv[1:]}")
