"""What listing a bucket costs beside boto3: objects of an S3 server (moto) on this machine.

    uv run --group dev python benchmarks/objects.py [--objects 10000] [--rounds 5]

Each figure is processor time of listing all objects, in a process of its own that has imported its libraries, the
median of some rounds: of obstore and opendal with nothing around them, of the source (patterns, uris, markers, media
types), and of boto3's paginator in the same run. The server's time is not in it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

BUCKET = "bench"
KEYS = {"aws_access_key_id": "reader", "aws_secret_access_key": "nothing", "region_name": "us-east-1"}


def main() -> None:
    """Fill a bucket, list it in every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.objects)
    if arguments.child:
        way, endpoint = arguments.child
        print(json.dumps(measure(WAYS[way](endpoint), arguments.objects, arguments.rounds)))
        return
    serving = [sys.executable, __file__, "--objects", str(arguments.objects), "--serve"]
    server = subprocess.Popen(serving, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        endpoint = server.stdout.readline().strip()
        found = {way: listed(way, endpoint, arguments) for way in WAYS}
    finally:
        server.terminate()
        server.wait()
    print(f"| {arguments.objects:,} objects | CPU-s, first | CPU-s, median | of boto3's |\n|---|---|---|---|")
    for way, (first, median) in found.items():
        print(f"| {way} | {first:.3f} | {median:.3f} | {median / found['boto3'][1]:.2f} |")


def listed(way: str, endpoint: str, arguments: argparse.Namespace) -> tuple[float, float]:
    """List in a process of its own."""
    given = ["--objects", str(arguments.objects), "--rounds", str(arguments.rounds), "--child", way, endpoint]
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, __file__, *given], check=True, capture_output=True, text=True, env=environment
    )
    first, median = json.loads(done.stdout)
    return first, median


def measure(listing: Callable[[], int], objects: int, rounds: int) -> tuple[float, float]:
    """Return the CPU time of the first listing, and the median of all."""
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF)
        assert listing() == objects
        after = resource.getrusage(resource.RUSAGE_SELF)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return times[0], statistics.median(times)


def by_source(endpoint: str) -> Callable[[], int]:
    """List as a run does."""
    from relance.config import IndexSpec
    from relance.sources import open_source

    section = {
        "type": "objects", "url": f"s3://{BUCKET}/docs", "endpoint": endpoint, "key_id": KEYS["aws_access_key_id"],
        "secret": KEYS["aws_secret_access_key"],
    }  # fmt: skip
    spec = IndexSpec.model_validate({"name": "bench", "sources": [section], "folder": Path.cwd()})
    return lambda: sum(1 for _ in open_source(spec, 0).list())


def by_obstore(endpoint: str) -> Callable[[], int]:
    """List with obstore alone."""
    from obstore.store import S3Store

    store = S3Store(
        BUCKET, endpoint=endpoint, region=KEYS["region_name"], access_key_id=KEYS["aws_access_key_id"],
        secret_access_key=KEYS["aws_secret_access_key"], client_options={"allow_http": True},
    )  # fmt: skip
    return lambda: sum(len(page) for page in store.list("docs", chunk_size=1000))


def by_opendal(endpoint: str) -> Callable[[], int]:
    """List with opendal alone."""
    import opendal

    operator = opendal.Operator(
        "s3", bucket=BUCKET, endpoint=endpoint, region=KEYS["region_name"], access_key_id=KEYS["aws_access_key_id"],
        secret_access_key=KEYS["aws_secret_access_key"],
    )  # fmt: skip
    return lambda: sum(1 for _ in operator.list("docs/", recursive=True))


def by_boto3(endpoint: str) -> Callable[[], int]:
    """List with boto3's paginator."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, **KEYS)
    pages = client.get_paginator("list_objects_v2")
    return lambda: sum(len(page["Contents"]) for page in pages.paginate(Bucket=BUCKET, Prefix="docs/"))


WAYS = {"source": by_source, "obstore": by_obstore, "opendal": by_opendal, "boto3": by_boto3}


def serve(objects: int) -> None:
    """Fill a bucket, print the address and serve for ever."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    backend = s3_backends["123456789012"]["global"]
    backend.create_bucket(BUCKET, "us-east-1")
    for number in range(objects):
        backend.put_object(BUCKET, f"docs/{number // 100:03d}/{number:06d}.md", b"%d" % number)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, found = server.get_host_and_port()
    print(f"http://{host}:{found}", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
