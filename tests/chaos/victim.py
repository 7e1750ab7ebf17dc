"""A process that ingests when told to, and is killed while it does: `victim.py SPEC [processes]`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import lancedb  # noqa: F401  # imported before the starting shot, so that the shot starts the work

    import relance.embedding.embedder
    import relance.embedding.providers.fake  # noqa: F401
    from relance.config.engine import EngineName
    from relance.index import Index

    index = Index(sys.argv[1])
    engine: EngineName = "processes" if "processes" in sys.argv else ""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    index.ingest(wait_s=30, engine=engine, workers=2 if engine else 0)
    sys.stdout.write("done\n")
