"""The map of an index: drawn in a thread when somebody asks for it, kept until the clusters are others."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from relance.errors import RelanceError, install_command
from relance.explore.index_reader import IndexReader

if TYPE_CHECKING:
    from relance.analysis.cluster import Clusters
    from relance.index import Index

__all__ = ["MapJob"]


class MapJob:
    """Draws one map at a time."""

    def __init__(self, index: Index, reader: IndexReader) -> None:
        self._index, self._reader = index, reader
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.problem = ""

    def missing(self) -> str:
        """Say what has to be installed before a map can be drawn; empty if nothing."""
        return "" if find_spec("sklearn") and find_spec("matplotlib") else install_command("analysis")

    @property
    def drawing(self) -> bool:
        """Whether a map is being drawn now."""
        return self._thread is not None and self._thread.is_alive()

    def draw(self) -> None:
        """Begin to cluster the index and draw its map, unless that is under way."""
        with self._lock:
            if self.drawing or self.missing():
                return
            self.problem = ""
            self._thread = threading.Thread(target=self._draw, name="map", daemon=True)
            self._thread.start()

    def clusters(self) -> Clusters | None:
        """Return the clusters that were found last, or None."""
        version = self._reader.results_version("clusters")

        def read() -> Clusters | None:
            from relance.analysis.cluster import read_clusters

            return read_clusters(self._index)

        return self._reader.kept("clusters", version, read) if version else None

    def is_current(self) -> bool:
        """Whether the index is still as it was when the clusters were found, and its reader sees no more of it."""
        found = self.clusters()
        if found is None:
            return False
        table = self._reader.table(media=found.level == "media")
        if table is None or (found.table, found.table_version) != (table.name, table.version):
            return False
        version = self._reader.results_version("clusters")
        return self._reader.kept("map is whole", version, lambda: found.is_whole(self._index))

    def html(self, clusters: Clusters, link: Callable[[str], str]) -> tuple[str, str]:
        """Draw the page with the map; returns it and the policy it runs under."""
        from relance.analysis.map_page import map_page, security_policy

        version = self._reader.results_version("clusters")
        page = self._reader.kept("map", version, lambda: map_page(self._index, clusters, link=link))
        return page, f"{security_policy()}; frame-ancestors 'none'"

    def png(self, clusters: Clusters) -> bytes:
        """Draw the map as a picture."""

        def draw() -> bytes:
            from relance.analysis.map_picture import map_picture

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "map.png")
                map_picture(clusters, path)
                return path.read_bytes()

        return self._reader.kept("map picture", self._reader.results_version("clusters"), draw)

    def _draw(self) -> None:
        from relance.analysis.cluster import cluster, cluster_again, read_clusters

        try:
            last = read_clusters(self._index)
            cluster_again(self._index, last) if last else cluster(self._index)
        except RelanceError as error:
            self.problem = str(error)
        except Exception as error:  # the page stays up, and says so
            self.problem = f"The map could not be drawn: {error}"
            raise
