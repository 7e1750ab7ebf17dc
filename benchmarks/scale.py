"""Whether memory stays flat: 10,000 small documents, then 100,000, each in a process of its own.

    uv run --group dev python benchmarks/scale.py [--large 100000]

Prints the peak memory of the run that builds the index, of the run that finds nothing changed, and the time the latter
takes a document.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Build and rebuild at both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        from ingest import relance_run

        print(json.dumps(relance_run(arguments.child, "")))
        return
    figures = [grow(size) for size in (arguments.small, arguments.large)]
    print("| documents | build s | peak MB | no change s | peak MB | µs a document |\n|---|---|---|---|---|---|")
    for size, build, again in figures:
        print(
            f"| {size:,} | {build['work s']:.1f} | {build['peak MB']:.0f} | {again['work s']:.2f} "
            f"| {again['peak MB']:.0f} | {again['work s'] / size * 1e6:.0f} |"
        )
    (_, small, same), (_, large, still) = figures
    print(
        f"\npeak memory {large['peak MB'] / small['peak MB']:.2f}× building, {still['peak MB'] / same['peak MB']:.2f}× "
        "finding nothing changed"
    )


def grow(size: int) -> tuple[int, dict[str, float], dict[str, float]]:
    """Build an index of so many documents, and run again."""
    import corpus

    with tempfile.TemporaryDirectory(prefix="relance-scale-") as name:
        folder = Path(name)
        corpus.write(folder / "docs", size, 7, small=True)
        (folder / "index.yaml").write_text(
            "name: scale\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash, dimension: 256}\n"
            "store: {uri: db}\n",
            encoding="utf-8",
        )
        command = [sys.executable, __file__, "--child", str(folder)]
        runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
        build, again = (json.loads(run) for run in runs)
        assert build["chunks"] == again["chunks"] >= size
        assert again["texts embedded"] == 0
        return size, build, again


if __name__ == "__main__":
    main()
