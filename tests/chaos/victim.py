"""A process that ingests when told to, and is killed while it does."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import lancedb  # noqa: F401  # imported before the starting shot, so that the shot starts the work

    import relance.embedding.embedder
    import relance.embedding.providers.fake  # noqa: F401
    from relance.index import Index

    index = Index(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    index.ingest(wait_s=30)
    sys.stdout.write("done\n")
