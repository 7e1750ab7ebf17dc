"""What relance tells of itself while it works: metrics and traces, and for Prometheus what its indexes' logs say.

    metrics     names, units and meanings of what is measured in a process
    spans       what took how long inside of what
    start       sends both away by OTLP where the environment asks for it
    readings    what a store knows of an index, for
    exporter    the page Prometheus reads

`pipeline/run_telemetry.py` measures a run by them, `embedding/traffic.py` the requests to a model.

Nothing is recorded anywhere until an OpenTelemetry SDK is there. Docs: docs/metrics.md.
"""

from __future__ import annotations

from relance.telemetry.start import start_telemetry

__all__ = ["start_telemetry"]
