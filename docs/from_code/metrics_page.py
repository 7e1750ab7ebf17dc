"""The page of metrics, made of what the processes push and what the exporter serves."""

from __future__ import annotations

from relance.telemetry.exporter import Page
from relance.telemetry.metrics import METRICS

HEAD = """# Metrics

How they are switched on, scraped and drawn is on [another page](../metrics.md).

## Pushed by OpenTelemetry

| name | kind | unit | attributes | meaning |
|---|---|---|---|---|
"""
SCRAPED = """
## Served at `/metrics`

| name | kind | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """Write a table of each."""
    pushed = "".join(
        f"| `{each.name}` | {each.kind} | {each.unit.strip('{}')} | {_names(each.labels)} | {each.meaning} |\n"
        for each in METRICS.values()
    )
    served = "".join(
        f"| `{each.name}{'_total' if each.type == 'counter' else ''}` | {each.type} | {_names(each._labelnames)} "  # noqa: SLF001  # the library has no other way to ask
        f"| {each.documentation} |\n"
        for each in Page().families.values()
    )
    return HEAD + pushed + SCRAPED + served


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in labels)
