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

COMMANDS = [
    *(init, schema, sources, plugins, plan, ingest, search, explore),
    *(status, failures, runs, rollback, reembed, cache, maintain, doctor, evaluate),
    *(recommend, cluster, draw_map, classify, anomalies, duplicates),
    *(up, deploy, watch, emit, webhook, exporter, serve, emulator),
]
