"""relance beside a bare script that fetches pictures: asyncio, httpx, one request to the service for 20, one table.

    uv run --group dev python benchmarks/media.py [--pictures 5000] [--only cold ...] [--json]

An image host and the emulator run beside both, each in a process of its own; time and CPU are those of the contestant
alone, after its imports. The script keeps the entity tags in a file, and begins anew where anything has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

STEPS = ("cold", "no change", "rate", "dead", "hanging", "one address", "refused")
CONNECTIONS = 16


def main() -> None:
    """Run the steps and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--only", nargs="*", default=STEPS, choices=STEPS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--host", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.host:
        asyncio.run(Host().serve())
        return
    if arguments.child:
        who, folder = arguments.child
        print(json.dumps(CONTESTANTS[who](Path(folder))))
        return
    with tempfile.TemporaryDirectory(prefix="relance-bench-") as name, emulator() as service, host() as pictures:
        rows = list(steps(Path(name), service, pictures, arguments.pictures, arguments.only))
    print(json.dumps(rows, indent=2) if arguments.json else render(rows))


def steps(base: Path, service: str, host: str, count: int, only: list[str]) -> Iterator[dict[str, Any]]:
    """Run each step for those who take part in it."""
    if {"cold", "no change"} & set(only):
        homes = {who: home(base / who, service, [f"{host}/plain/{n}.png" for n in range(count)]) for who in CONTESTANTS}
        for step in ("cold", "no change"):
            for who, folder in homes.items():
                yield measure(step, who, folder, host)
    special: dict[str, tuple[str, int, str]] = {
        "rate": ("rate", 200, ""), "dead": ("plain", 1000, "down=1"), "hanging": ("plain", 1000, "hang=1"),
        "one address": ("plain", 2000, ""), "refused": ("refused", 200, ""),
    }  # fmt: skip
    for step in [step for step in special if step in only]:
        kind, number, trouble = special[step]
        urls = [f"{host}/{kind}/{step.replace(' ', '-')}-{n}.png" for n in range(number)]
        if step == "one address":
            urls = [urls[0]] * number
        folder = home(base / step, service, urls)
        if step in {"dead", "hanging", "refused"}:
            measure(f"{step}: before", "relance", folder, host)
        control(host, trouble)
        yield measure(step, "relance", folder, host)
        control(host, "down=0&hang=0")


def home(folder: Path, service: str, urls: list[str]) -> Path:
    """Write the table and the spec."""
    folder.mkdir()
    lines = [f"{n},{url},picture {n}\n" for n, url in enumerate(urls)]
    (folder / "m.csv").write_text("id,url,caption\n" + "".join(lines), encoding="utf-8")
    (folder / "index.yaml").write_text(
        "name: bench\nsources:\n- {type: files, root: ., include: [m.csv],\n"
        "   rows: {id: id, url: url, caption: caption}}\n"
        "embedding: {model: fake/hash}\nmedia:\n  embedding: {model: dashscope/tongyi-embedding-vision-plus,\n"
        f"    base_url: {service}/api/v1, api_key: sk-bench, requests_per_minute: 1000000,\n"
        "    tokens_per_minute: 1000000000}\n"
        f"  fetch: {{allow: ['127.0.0.1'], connections: {CONNECTIONS}}}\nstore: {{uri: db}}\n",
        encoding="utf-8",
    )
    return folder


def measure(step: str, who: str, folder: Path, host: str) -> dict[str, Any]:
    """Run one contestant in a fresh process, and ask the host what it was asked."""
    control(host, "reset=1")
    command = [sys.executable, __file__, "--child", who, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"step": step, "who": who, **json.loads(done.stdout.splitlines()[-1]), **control(host, "")}


# -- contestants ------------------------------------------------------------------------------------------------------


def relance_run(folder: Path) -> dict[str, Any]:
    """Ingest with relance's engine, Prefect apart."""
    import lancedb  # noqa: F401
    import pyarrow as pa  # noqa: F401

    import relance.media.loader
    import relance.pipeline.run  # noqa: F401
    from relance.config.load import load_spec
    from relance.index import Index

    index = Index(load_spec(folder / "index.yaml"))
    with stopwatch() as spent:
        report = index.ingest()
    media = report.media
    assert media is not None
    return {**spent, "added": media.added, "failed": media.failed, "unchanged": media.unchanged,
            "embedded": media.embedded}  # fmt: skip


def script_run(folder: Path) -> dict[str, Any]:
    """Fetch all, embed what is new by the service, write one table; what nobody would leave out, and no more."""
    import base64

    import httpx
    import lancedb
    import pyarrow as pa
    from PIL import Image  # noqa: F401

    from relance.config.load import load_spec

    spec = load_spec(folder / "index.yaml")
    assert spec.media is not None
    service = f"{spec.media.embedding.base_url}/services/embeddings/multimodal-embedding/multimodal-embedding"
    rows = [line.split(",") for line in (folder / "m.csv").read_text(encoding="utf-8").splitlines()[1:]]
    tags_file = folder / "tags.json"

    async def work() -> int:
        tags = json.loads(tags_file.read_text()) if tags_file.exists() else {}
        limits = httpx.Limits(max_connections=CONNECTIONS)
        found: dict[str, bytes] = {}
        slots = asyncio.Semaphore(CONNECTIONS)
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

            async def fetch(url: str) -> None:
                async with slots:
                    headers = {"If-None-Match": tags[url]} if url in tags else {}
                    answer = await client.get(url, headers=headers)
                    if answer.status_code == 200:
                        found[url], tags[url] = answer.content, answer.headers.get("etag", "")

            await asyncio.gather(*(fetch(url) for _, url, _ in rows))
            if not found:
                return 0
            vectors: dict[str, list[float]] = {}

            async def embed(urls: list[str]) -> None:
                async with slots:
                    contents = [{"image": f"data:image/png;base64,{base64.b64encode(found[url]).decode()}"}
                                for url in urls]  # fmt: skip
                    body = {"model": "tongyi-embedding-vision-plus", "input": {"contents": contents}}
                    answer = await client.post(service, json=body, headers={"Authorization": "Bearer sk-bench"})
                    answer.raise_for_status()
                    for url, each in zip(urls, answer.json()["output"]["embeddings"], strict=True):
                        vectors[url] = each["embedding"]

            urls = list(found)
            await asyncio.gather(*(embed(urls[at : at + 8]) for at in range(0, len(urls), 8)))
        size = len(next(iter(vectors.values())))
        table = pa.table({
            "id": [number for number, _, _ in rows], "url": [url for _, url, _ in rows],
            "text": [caption for *_, caption in rows],
            "vector": pa.array([vectors[url] for _, url, _ in rows], pa.list_(pa.float32(), size)),
        })  # fmt: skip
        lancedb.connect(folder / "script.db").create_table("pictures", table, mode="overwrite")
        tags_file.write_text(json.dumps(tags))
        return len(vectors)

    with stopwatch() as spent:
        embedded = asyncio.run(work())
    return {**spent, "embedded": embedded}


CONTESTANTS = {"script": script_run, "relance": relance_run}


@contextlib.contextmanager
def stopwatch() -> Generator[dict[str, float]]:
    """Measure time, CPU and peak memory of this process."""
    spent: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent["s"] = round(time.perf_counter() - wall, 2)
    spent["cpu_s"] = round(time.process_time() - cpu, 2)
    spent["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


# -- what they talk to ------------------------------------------------------------------------------------------------


class Host:
    """An image host: `/plain/` has pictures with entity tags, `/rate/` 10 a second, `/refused/` a quarter too small."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.sent = 0
        self.flags = {"down": "0", "hang": "0"}
        self.seconds: dict[int, int] = {}

    async def serve(self) -> None:
        """Listen, and print the port."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                path, _, query = head.split(" ", 2)[1].partition("?")
                if path == "/ctl":
                    writer.write(self._control(query))
                    continue
                self.asked[path] = self.asked.get(path, 0) + 1
                if self.flags["down"] == "1":
                    writer.transport.abort()
                    return
                if self.flags["hang"] == "1":
                    await asyncio.sleep(3600)
                writer.write(self._answer(path, head))
        writer.close()

    def _answer(self, path: str, head: str) -> bytes:
        _, kind, name = path.split("/", 2)
        if kind == "rate":
            second = int(time.time())
            self.seconds[second] = self.seconds.get(second, 0) + 1
            if self.seconds[second] > 10:
                return _reply(429, b"", "Retry-After: 1\r\n")
        body = picture(path, small=kind == "refused" and zlib.crc32(name.encode()) % 4 == 0)
        tag = f'"{zlib.crc32(body)}"'
        if f"if-none-match: {tag}" in head.lower():
            return _reply(304, b"", f"ETag: {tag}\r\n")
        self.sent += len(body)
        return _reply(200, body, f"ETag: {tag}\r\nContent-Type: image/png\r\n")

    def _control(self, query: str) -> bytes:
        values = dict(part.split("=") for part in query.split("&") if part)
        if values.pop("reset", ""):
            self.asked, self.sent = {}, 0
        self.flags |= values
        most = max(self.asked.values(), default=0)
        counts = {"requests": sum(self.asked.values()), "most_of_one": most, "sent_kb": self.sent >> 10}
        return _reply(200, json.dumps(counts).encode(), "")


def _reply(status: int, body: bytes, headers: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def picture(name: str, *, small: bool) -> bytes:
    """Draw a PNG of 32 x 32 that is this name's only; a small one is 8 x 8, with 20 kB that no decoder wants."""
    side = 8 if small else 32
    seed = zlib.crc32(name.encode()).to_bytes(4)
    lines = b"".join(b"\0" + (seed + bytes([y, y, y])) * (3 * side // 7 + 1) for y in range(side))
    step = 3 * side // 7 * 7 + 8
    rows = b"".join(b"\0" + lines[y * step + 1 : y * step + 1 + 3 * side] for y in range(side))
    chunks = [(b"IHDR", side.to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if small:
        chunks.insert(1, (b"tEXt", b"Comment\0" + b"x" * 20_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in chunks
    )


@contextlib.contextmanager
def host() -> Generator[str]:
    """Start the image host."""
    with subprocess.Popen([sys.executable, __file__, "--host"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


@contextlib.contextmanager
def emulator() -> Generator[str]:
    """Start the emulator in a process of its own."""
    code = (
        "import time\nfrom relance_emulator import EmulatorConfig, running\n"
        "with running(EmulatorConfig()) as url:\n    print(url, flush=True)\n    time.sleep(1e6)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def control(host: str, query: str) -> dict[str, int]:
    """Tell the host something; returns what it counted."""
    import httpx

    return dict(httpx.get(f"{host}/ctl?{query}", trust_env=False).json())


def render(rows: list[dict[str, Any]]) -> str:
    """Write a Markdown table; ratios are relance's beside the script's."""
    names = ["s", "cpu_s", "peak_mb", "requests", "most_of_one", "sent_kb", "added", "failed", "unchanged", "embedded"]
    lines = [f"| step | who | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    lines += [
        f"| {row['step']} | {row['who']} | {' | '.join(str(row.get(name, '')) for name in names)} |" for row in rows
    ]
    by_step: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_step.setdefault(row["step"], {})[row["who"]] = row
    for step, found in by_step.items():
        if len(found) == len(CONTESTANTS):
            ours, theirs = found["relance"], found["script"]
            lines.append(f"\n{step}: {ours['s'] / theirs['s']:.2f} x wall, {ours['cpu_s'] / theirs['cpu_s']:.2f} x CPU")
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("RELANCE_LOG", "warning")
    main()
