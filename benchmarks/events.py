"""How long it takes from a change to finding it, without Prefect: a bucket's notification, a push, a queue.

    uv run --group dev python benchmarks/events.py [--rounds 5] [--documents 300]

A bucket and a queue of moto and a repository behind git daemon, all on this machine, and `relance webhook --ingest` or
`relance watch --ingest` in a process of its own with the default model. A round is the time from just before an object
is put (or a commit is pushed) until a search by words finds it, looked for every 0.1 s; posting the notification is
in it. Beside the median: the fastest, the slowest, the processor time of that process for each round, and the load.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/fixtures"))
from buckets import S3Server, s3_server
from chains import Chain
from git_repositories import Repo, daemon
from live import Live

from relance.index import Index

SECRET = "a secret of sixteen letters and more"
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def main() -> None:
    """Measure the three ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=300, help="of the bucket, and of the repository")
    arguments = parser.parse_args()
    print("| way | median | fastest | slowest | CPU-s | load |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name, s3_server() as bucket:
        folder = Path(name)
        bucket.make("wiki")
        for number in range(arguments.documents):
            bucket.put("wiki", f"pages/{number}.md", page(number))
        told = bucket.tell("wiki")
        repo = Repo(folder / "checkout", folder / "served/notes.git")
        for number in range(arguments.documents):
            repo.write(f"{number}.md", page(number))
        repo.commit()
        with daemon(folder / "served") as base:
            by_webhook(folder, bucket, told, repo, f"{base}/notes.git", arguments.rounds)
        by_queue(folder, bucket, arguments.rounds)


def by_webhook(folder: Path, bucket: S3Server, told: Callable[[], str], repo: Repo, clone: str, rounds: int) -> None:
    """Put objects and push commits, which the receiver hears of."""
    declare(folder, bucket.section("wiki"), {"type": "git", "url": clone})
    live = Live(folder, "webhook", "--port", "0", RELANCE_WEBHOOK_SECRET=SECRET)
    try:
        url = live.say("POST").split()[1].partition("/{")[0]
        live.say("notes: everything")
        with Index(live.spec) as index:
            chain = Chain(bucket, told, repo, url, SECRET, index)
            chain.tell_pushes(clone)

            def push(name: str, text: str) -> None:
                repo.write(name, text)
                repo.commit()

            report("object put, `webhook --ingest`", live, index, rounds, "weir", chain.put)
            report("push, `webhook --ingest`", live, index, rounds, "lock", push)
        live.end()
    finally:
        live.close()


def by_queue(folder: Path, bucket: S3Server, rounds: int) -> None:
    """Put objects whose notifications come to a queue."""
    declare(folder, bucket.section("wiki", queue=bucket.queue("wiki")))
    live = Live(folder, "watch")
    try:
        live.say("notes: everything")
        with Index(live.spec) as index:
            report("object put, queue, `watch --ingest`", live, index, rounds, "ferry",
                   lambda name, text: bucket.put("wiki", name, text))  # fmt: skip
        live.end()
    finally:
        live.close()


def report(way: str, live: Live, index: Index, rounds: int, word: str, change: Callable[[str, str], None]) -> None:
    """Make changes one by one, wait until each is found, and print a line."""
    process = psutil.Process(live.process.pid)
    spent = sum(process.cpu_times()[:4])  # with what it has waited for, such as git
    times = []
    for number in range(rounds):
        name = f"{word}{number}"
        began = time.monotonic()
        change(f"pages/{name}.md", f"The {name} is open.")
        while not any(name in hit.text for hit in index.search(name, mode="full-text", k=3)):
            if time.monotonic() - began > 300:
                sys.exit(f"{way}: {name} is not found after five minutes")
            time.sleep(0.1)
        times.append(time.monotonic() - began)
    spent = (sum(process.cpu_times()[:4]) - spent) / rounds
    median, load = statistics.median(times), os.getloadavg()[0]
    print(
        f"| {way} | {median:.1f} s | {min(times):.1f} s | {max(times):.1f} s | {spent:.2f} | {load:.0f} |", flush=True
    )


def declare(folder: Path, *sources: dict[str, object]) -> None:
    """Write the spec."""
    spec = {"name": "notes", "sources": list(sources), "store": {"uri": "db"}}
    (folder / "index.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")


def page(number: int) -> str:
    """Write a page of a few lines."""
    named = " ".join(NUMBERS[int(digit)] for digit in str(number))
    return f"# Page {number}\n\nThis is page {named} of the notes.\n\n## More\n\nIt says nothing else.\n"


if __name__ == "__main__":
    main()
