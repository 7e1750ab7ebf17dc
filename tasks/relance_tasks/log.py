"""The log of a run, as a person follows it: what tasks have to say stands among the lines of the flow."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.logging.loggers import flow_run_logger

__all__ = ["run_log"]


def run_log() -> logging.LoggerAdapter[Any] | logging.Logger:
    """Return the flow run's logger; Prefect's own lines about each task run are kept apart, to be turned down."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return get_run_logger()
    return flow_run_logger(context.flow_run, context.flow)
