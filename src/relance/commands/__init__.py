"""The commands of the command line, one file for each thing a person does."""

from __future__ import annotations

from relance.commands.anomalies import anomalies
from relance.commands.classify import classify
from relance.commands.cluster import cluster
from relance.commands.declare import init, schema
from relance.commands.duplicates import duplicates
from relance.commands.emulator import emulator
from relance.commands.evaluate import evaluate
from relance.commands.explore import explore
from relance.commands.ingest import ingest, plan
from relance.commands.map import map as draw_map
from relance.commands.operate import deploy, emit, exporter, up, watch, webhook
from relance.commands.recommend import recommend
from relance.commands.search import search
from relance.commands.state import cache, failures, maintain, rollback, runs, status

__all__ = ["COMMANDS"]

COMMANDS = [
    *(init, schema, plan, ingest, search, explore),
    *(status, failures, runs, rollback, cache, maintain, evaluate),
    *(recommend, cluster, draw_map, classify, anomalies, duplicates),
    *(up, deploy, watch, emit, webhook, exporter, emulator),
]
