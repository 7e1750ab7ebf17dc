"""The commands of the command line, one file for each thing a person does."""

from __future__ import annotations

from relance.cli.anomalies import anomalies
from relance.cli.classify import classify
from relance.cli.cluster import cluster
from relance.cli.declare import init, schema
from relance.cli.doctor import doctor
from relance.cli.duplicates import duplicates
from relance.cli.emulator import emulator
from relance.cli.evaluate import evaluate
from relance.cli.explore import explore
from relance.cli.ingest import ingest, plan
from relance.cli.map import map as draw_map
from relance.cli.operate import deploy, emit, exporter, up
from relance.cli.plugins import plugins
from relance.cli.recommend import recommend
from relance.cli.reembed import reembed
from relance.cli.search import search
from relance.cli.serve import serve
from relance.cli.sources import sources
from relance.cli.state import cache, failures, maintain, rollback, runs, status
from relance.cli.watch import watch
from relance.cli.webhook import webhook

__all__ = ["COMMANDS"]

# Groups and their commands in the order of their use, each command with an example.
COMMANDS = {
    "Everyday": [
        (init, "relance init ~/notes"),
        (plan, "relance plan"),
        (ingest, "relance ingest ~/notes"),
        (search, 'relance search "how do I reset a sensor?"'),
        (status, "relance status"),
        (failures, "relance failures"),
        (explore, "relance explore --open"),
    ],
    "Analysis": [
        (evaluate, "relance evaluate --dataset golden.yaml --mode all"),
        (cluster, "relance cluster -k 8"),
        (draw_map, "relance map --html map.html"),
        (duplicates, "relance duplicates --similarity 0.98"),
        (recommend, "relance recommend --liked docs/sensors.md"),
        (classify, "relance classify --label invoice --label contract"),
        (anomalies, "relance anomalies --limit 5"),
    ],
    "Operation": [
        (up, "relance up"),
        (deploy, "relance deploy ~/notes"),
        (watch, "relance watch --ingest"),
        (emit, "relance emit --changed docs/sensors.md"),
        (webhook, "relance webhook --port 8080"),
        (exporter, "relance exporter --port 9464"),
        (serve, "relance serve --port 8790"),
    ],
    "Maintenance": [
        (runs, "relance runs --limit 5"),
        (rollback, "relance rollback"),
        (reembed, "relance reembed --plan"),
        (doctor, "relance doctor --repair"),
        (maintain, "relance maintain"),
        (cache, "relance cache --prune 500MB"),
    ],
    "Reference": [
        (sources, "relance sources sql"),
        (plugins, "relance plugins"),
        (schema, "relance schema --output index.schema.json"),
        (emulator, "relance emulator --files ./pictures"),
    ],
}
