"""The dashboard, the rules and the page of docs speak of metrics that exist, with labels they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from relance.index import Index
from relance.store.readings import TableReader
from relance.telemetry.exporter import registry
from relance.telemetry.metrics import METRICS, Metric

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "infra" / "grafana" / "relance.json").read_text(encoding="utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "infra" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DOCS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")

# PromQL, as far as it is used here.
FUNCTIONS = set(
    "absent avg histogram_quantile increase last_over_time max min rate sum time vector label_values".split()
)
WORDS = set("and by group_left group_right ignoring offset on or unless without bool".split())
TARGET = {"job", "instance"}  # what Prometheus puts on whatever it scrapes


def pushed(metric: Metric) -> Iterator[str]:
    """Name what Prometheus makes of a metric it receives by OTLP ("UnderscoreEscapingWithSuffixes")."""
    unit = {"s": "_seconds"}.get(metric.unit, "")
    assert unit or re.fullmatch(r"\{.+\}", metric.unit), "units in braces are left out, others spelled out"
    name = metric.name.replace(".", "_") + unit
    if metric.kind == "histogram":
        yield from (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    else:
        yield name + ("_total" if metric.kind == "counter" else "")


PUSHED = {
    name: {*metric.labels, *TARGET, *(["le"] if name.endswith("_bucket") else [])}
    for metric in METRICS.values()
    for name in pushed(metric)
}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Name what the page for Prometheus has of an index with everything, and its labels."""
    from relance.config import IndexSpec

    folder = tmp_path_factory.mktemp("index")
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("some words", encoding="utf-8")
    spec = {
        "name": "notes",
        "sources": [{"type": "files", "root": "docs"}],
        "embedding": {"model": "fake/hash"},
        "store": {"uri": "db"},
        "schedule": {"every_minutes": 15},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(spec))
    index.ingest()
    index.doctor(record=True)
    families = text_string_to_metric_families(generate_latest(registry([TableReader(index.spec)])).decode())
    return {
        sample.name: set(sample.labels) | TARGET
        for family in families
        for sample in family.samples
        if sample.name.startswith("relance_")
    }


@pytest.fixture(scope="module")
def known(scraped: dict[str, set[str]]) -> dict[str, set[str]]:
    recorded = {rule["record"]: set(used_labels(rule["expr"])) for rule in RULES if "record" in rule}
    return scraped | PUSHED | recorded | {"up": TARGET}


def used_names(query: str) -> set[str]:
    """Name the metrics a query asks for."""
    bare = re.sub(r'"[^"]*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\$__?\w+", " ", bare)
    bare = re.sub(r"\b(by|on|group_left|group_right|without|ignoring)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    return set(re.findall(r"[a-zA-Z_][\w:]*", bare)) - FUNCTIONS - WORDS


def used_labels(query: str) -> set[str]:
    """Name the labels a query matches or groups by."""
    matched = {label for inside in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)\s*[=!]~?", inside)}
    groups = re.findall(r"\b(?:by|on|group_left|without|ignoring)\s*\(([^)]*)\)", query)
    return matched | {label.strip() for group in groups for label in group.split(",") if label.strip()}


def queries() -> Iterator[tuple[str, str]]:
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
            yield f"variable {variable['name']}", f'{metric}{{{label}=""}}'
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_query_asks_for_what_there_is(known: dict[str, set[str]], where: str, query: str) -> None:
    names = used_names(query)
    assert names <= set(known), f"{where}: {names - set(known)}"
    labels = used_labels(query)
    there = set().union(*(known[name] for name in names)) if names else set()
    assert labels <= there, f"{where}: {labels - there}"


def test_a_name_that_does_not_exist_would_be_found() -> None:
    wrong = 'sum by (index) (rate(relance_index_documnets{index=~"$index", part="text"}[5m] offset 1h)) > on () other'
    assert used_names(wrong) == {"relance_index_documnets", "other"}
    assert used_labels(wrong) == {"index", "part"}


def test_the_page_and_the_pushed_metrics_have_no_name_in_common(scraped: dict[str, set[str]]) -> None:
    assert all(name.startswith("relance_index_") for name in scraped)
    assert not any(name.startswith("relance_index_") for name in PUSHED)


def test_the_docs_name_every_metric_and_no_other(scraped: dict[str, set[str]]) -> None:
    rows = re.findall(r"^\| `(relance[._][\w.]+)` \| (.*) \|$", DOCS, flags=re.MULTILINE)
    told = {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}
    assert set(told) == set(METRICS) | set(scraped)
    for name, metric in METRICS.items():
        kind, unit, labels, meaning = told[name]
        assert (kind, unit) == (metric.kind, metric.unit.strip("{}"))
        assert tuple(re.findall(r"`(\w+)`", labels)) == metric.labels, name
        assert meaning == metric.meaning
    for name, labels in scraped.items():
        assert set(re.findall(r"`(\w+)`", told[name][0])) == labels - TARGET, name


def test_the_docs_name_every_alert() -> None:
    told = set(re.findall(r"^\| `(Relance\w+)` \|", DOCS, flags=re.MULTILINE))
    assert told == {rule["alert"] for rule in RULES if "alert" in rule}


def test_the_dashboard_is_one_grafana_can_show() -> None:
    panels = BOARD["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ["Indexes", "Runs", "Provider", "Money"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in BOARD["templating"]["list"]} == {"datasource", "index", "provider"}
    places = sorted((panel["gridPos"] for panel in panels), key=lambda place: (place["y"], place["x"]))
    for place, following in pairwise(places):
        assert place["x"] + place["w"] <= 24
        same_line = following["y"] < place["y"] + place["h"]
        assert not same_line or following["x"] >= place["x"] + place["w"], "two panels overlap"
    for panel in panels:
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


def test_the_provisioned_source_is_where_prometheus_is() -> None:
    folder = ROOT / "infra" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text(encoding="utf-8"))["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "relance.yaml").read_text(encoding="utf-8"))["providers"]
    compose = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert source["url"] == "http://prometheus:9090"
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in compose["grafana"]["volumes"])
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in compose["grafana"]["volumes"]
    config = yaml.safe_load((ROOT / "infra" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    service, _, port = target.partition(":")
    assert f"--metrics-port {port}" in compose[service]["command"]
    assert "--web.enable-otlp-receiver" in compose["prometheus"]["command"]
