#!/opt/minio/bin/python
"""Stands in for MinIO: moto's S3 server, which sends notifications of a bucket to the webhook MinIO would send them to."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request

from moto.s3 import notifications
from moto.server import ThreadedMotoServer

ENDPOINT = os.environ["MINIO_NOTIFY_WEBHOOK_ENDPOINT_RELANCE"]
TOKEN = os.environ["MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_RELANCE"]


def send(account_id: str, event_body: dict[str, object], queue_name: str, region_name: str) -> None:
    """Post one event in a thread, as MinIO does, until the webhook has taken it."""

    def post() -> None:
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        request = urllib.request.Request(ENDPOINT, json.dumps(event_body).encode(), headers)
        for _ in range(60):
            try:
                with urllib.request.urlopen(request, timeout=10):
                    return
            except OSError as error:
                sys.stderr.write(f"{ENDPOINT}: {error}\n")
                time.sleep(1)

    threading.Thread(target=post).start()


notifications._send_sqs_message = send  # ty: ignore[invalid-assignment]  # where moto hands an event over
server = ThreadedMotoServer(ip_address="0.0.0.0", port=9000)
server.start()
threading.Event().wait()
