"""A flow of your own around an index: download documents, bring the index in sync, say what happened.

    python examples/programs/download_ingest_notify.py http://host/handbook.md http://host/prices.csv
"""

import sys
from pathlib import Path

import httpx
from prefect import flow, task, unmapped

from relance import Report
from relance_tasks import ingest_task

INDEX = Path("index.yaml")  # its source is the folder docs beside it


@task(retries=2, retry_delay_seconds=1)
def download(address: str, folder: Path) -> Path:
    """Write what is at an address into a folder."""
    answer = httpx.get(address, follow_redirects=True).raise_for_status()
    folder.mkdir(exist_ok=True)
    file = folder / Path(answer.url.path).name
    file.write_bytes(answer.content)
    return file


@task
def notify(report: Report, webhook: str) -> None:
    """Send one sentence to a chat, or print it."""
    text = f"{report.index}: {report.added} added, {report.changed} changed, {report.failed} failed"
    if webhook:
        httpx.post(webhook, json={"text": text}).raise_for_status()
    else:
        print(text)


@flow(log_prints=True)
def refresh(addresses: list[str], index: Path = INDEX, webhook: str = "") -> int:
    """Download, ingest, notify; where a download fails, nothing is ingested."""
    download.map(addresses, folder=unmapped(index.parent / "docs")).result()
    report = ingest_task(index)
    notify(report, webhook)
    return report.added + report.changed


if __name__ == "__main__":
    refresh(sys.argv[1:])
