"""The commands of the command line, one file for each thing a person does."""

from __future__ import annotations

from relance.commands.declare import init, schema
from relance.commands.emulator import emulator
from relance.commands.evaluate import evaluate
from relance.commands.ingest import ingest, plan
from relance.commands.operate import deploy, emit, exporter, up, watch, webhook
from relance.commands.search import search
from relance.commands.state import cache, failures, maintain, rollback, runs, status

__all__ = ["COMMANDS"]

COMMANDS = [
    *(init, schema, plan, ingest, search),
    *(status, failures, runs, rollback, cache, maintain, evaluate),
    *(up, deploy, watch, emit, webhook, exporter, emulator),
]
