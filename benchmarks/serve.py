"""What a search costs over HTTP beside the same LanceDB call in a process of its own, with eight clients at once.

    uv run --group dev python benchmarks/serve.py [--rows 100000] [--dimension 1024] [--rounds 5] [--keep FOLDER]

The table and the questions are those of benchmarks/search.py; --keep takes a folder that it made, too.

raw      eight threads that call LanceDB, as a person would write it, in a process that does nothing else.
serve    eight clients of `relance serve`, which runs in a process of its own; the clients are threads of another one,
         each with one open connection, and read the answer as bytes. Their time counts: both share the machine's cores.

Raw and served take turns, round by round, since a machine is not always as fast: the share is the median over these
pairs. A question was asked before, so no model is asked, in either way. `--overhead` prints, instead, what a request
costs that finds nothing out: the API as it is, and Starlette alone.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from search import RETENTION, Questions, build, declared, index_words, raw

from relance.index import Index
from relance.search.query_encoder import Asked, QueryEncoder
from relance.store import maintenance

CLIENTS, EACH = 8, 25
MODES = ("full-text", "dense", "hybrid")
Ask = Callable[[str, Any], object]
Turn = tuple[float, float, float]  # searches a second, 95th percentile in ms, CPU-ms a search


def main() -> None:
    """Build a table, and print searches a second and their 95th percentile, raw and served."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="empty folder for the index, or one of an earlier time")
    parser.add_argument("--overhead", action="store_true")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as exits:
        folder = arguments.keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="relance-serve-")))
        prepare(folder, arguments.rows, arguments.dimension)
        if arguments.overhead:
            overhead(folder, arguments.dimension)
            return
        asking = exits.enter_context(process(raw_clients, folder, arguments.dimension))
        serving = exits.enter_context(process(served, folder, arguments.dimension))
        address = serving.recv()
        loading = exits.enter_context(process(http_clients, folder, address))
        print(f"{CLIENTS} clients, {EACH} searches each a round, {arguments.rounds} rounds\n")
        print("| search | raw a second | served | × raw | raw p95 ms | served | × raw | CPU-ms raw | server | "
              "client |\n|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
        for mode in MODES:
            for warm in (asking, loading):
                turn(warm, mode)
            before = turn(serving, mode)
            rounds = [(turn(asking, mode), turn(loading, mode)) for _ in range(arguments.rounds)]
            report(mode, rounds, (turn(serving, mode)[2] - before[2]) / (arguments.rounds * CLIENTS * EACH))


def prepare(folder: Path, rows: int, dimension: int) -> None:
    """Build the table of benchmarks/search.py, with its search indexes, unless it is there."""
    index = Index(declared(folder, dimension))
    if not (folder / "questions.json").exists():
        questions = build(index.spec, rows, dimension, 50)
        (folder / "questions.json").write_text(json.dumps([(text, vector.tolist()) for text, vector in questions]))
    kinds = kinds_of(index)
    if "FTS" not in kinds:
        index_words(index.table())
    if not any(kind.upper().startswith("IVF") for kind in kinds):
        maintenance.refresh_indexes(index.table(), retention=RETENTION, language="english")
    print(f"{index.table().count_rows():,} × {dimension}, {', '.join(sorted(kinds_of(index)))}", flush=True)


def kinds_of(index: Index) -> set[str]:
    """Name the kinds of search indexes that the table has."""
    return {each.index_type for each in index.table().list_indices()}


def read_questions(folder: Path) -> Questions:
    """Read the questions, in words and as vectors."""
    asked = json.loads((folder / "questions.json").read_text())
    return [(text, np.array(vector, np.float32)) for text, vector in asked]


@contextlib.contextmanager
def process(work: Callable[..., None], *arguments: Any) -> Generator[Any]:
    """Run something in a process of its own, at the other end of a pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=work, args=(theirs, *arguments), daemon=True)
    worker.start()
    try:
        yield ours
    finally:
        ours.send(None)
        worker.join(10)
        if worker.is_alive():
            worker.terminate()


def turn(pipe: Any, mode: str) -> Turn:
    """Let a process do its turn, and return what it took."""
    pipe.send(mode)
    return pipe.recv()


def crowd(ways: Sequence[Ask], questions: Questions) -> Turn:
    """Let clients ask, all at once; returns searches a second, the 95th percentile, and CPU-ms of this process each."""

    def some(client: int) -> list[float]:
        times = []
        for at in range(EACH):
            text, vector = questions[(client * 7 + at) % len(questions)]
            began = time.perf_counter()
            ways[client](text, vector)
            times.append((time.perf_counter() - began) * 1000)
        return times

    began, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CLIENTS) as threads:
        times = [each for part in threads.map(some, range(CLIENTS)) for each in part]
    count = CLIENTS * EACH
    rate, cpu = count / (time.perf_counter() - began), (time.process_time() - busy) * 1000 / count
    return rate, float(np.percentile(times, 95)), cpu


def raw_clients(pipe: Any, folder: Path, dimension: int) -> None:
    """Be the clients that call LanceDB."""
    questions, table = read_questions(folder), Index(declared(folder, dimension)).table()
    while (mode := pipe.recv()) is not None:

        def ask(text: str, vector: Any, mode: str = mode) -> object:
            return raw(table, text, vector, mode, None, indexed=True)

        pipe.send(crowd([ask] * CLIENTS, questions))


def served(pipe: Any, folder: Path, dimension: int) -> None:
    """Be the server: the one of the command, with questions whose vectors are known."""
    from relance.serve import ServeConfig, running

    answers = {text: Asked((vector, None), "cached", "none") for text, vector in read_questions(folder)}
    with (
        mock.patch.object(QueryEncoder, "embed", lambda _, __, question, **___: answers[question]),
        running([Index(declared(folder, dimension))], ServeConfig(port=0)) as address,
    ):
        pipe.send(address)
        while pipe.recv() is not None:
            pipe.send((0.0, 0.0, time.process_time() * 1000))


def http_clients(pipe: Any, folder: Path, address: str) -> None:
    """Be the clients over HTTP."""
    questions = read_questions(folder)
    while (mode := pipe.recv()) is not None:
        # New ones each turn: what is idle for long is closed.
        connections = [http.client.HTTPConnection(urlsplit(address).netloc) for _ in range(CLIENTS)]
        pipe.send(crowd([asker(each, mode) for each in connections], questions))


def asker(connection: http.client.HTTPConnection, mode: str) -> Ask:
    """Return how a client asks."""

    def ask(text: str, _: Any) -> object:
        body = json.dumps({"query": text, "mode": mode})
        connection.request("POST", "/v1/indexes/bench/search", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        sent = answer.read()
        if answer.status != 200:
            raise RuntimeError(sent[:500])
        return sent

    return ask


def report(mode: str, rounds: Sequence[tuple[Turn, Turn]], server_ms: float) -> None:
    """Print a row of the table."""
    rates = [median(pair[way][0] for pair in rounds) for way in (0, 1)]
    tails = [median(pair[way][1] for pair in rounds) for way in (0, 1)]
    rate = median(ours[0] / base[0] for base, ours in rounds)
    tail = median(ours[1] / base[1] for base, ours in rounds)
    raw_ms, client_ms = (median(pair[way][2] for pair in rounds) for way in (0, 1))
    print(f"| {mode} | {rates[0]:.0f} | {rates[1]:.0f} | {rate:.2f} | {tails[0]:.0f} | {tails[1]:.0f} | {tail:.2f} | "
          f"{raw_ms:.1f} | {server_ms:.1f} | {client_ms:.1f} |", flush=True)  # fmt: skip


def overhead(folder: Path, dimension: int) -> None:
    """Print the CPU time of a request whose search is done: by the whole API, and by Starlette alone."""
    import asyncio

    from pydantic_core import to_json
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from relance.serve.app import build
    from relance.serve.audit import AuditLog
    from relance.serve.config import ServeConfig
    from relance.serve.questions import SearchQuestion
    from relance.serve.service import Service

    index = Index(declared(folder, dimension))
    hits = index.search(read_questions(folder)[0][0], mode="full-text")
    body = json.dumps({"query": "w1 w2", "mode": "full-text"}).encode()

    async def bare(request: Request) -> Response:
        asked = SearchQuestion.model_validate_json(await request.body())
        found = await service._workers.run(lambda: index.search(asked.query))  # noqa: SLF001  # the same threads
        return Response(to_json({"hits": found, "media": [], "more": True, "together": False, "explanations": []}))

    async def ask(app: Any) -> float:
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/indexes/bench/search",
                 "raw_path": b"", "query_string": b"", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
                 "server": ("127.0.0.1", 80), "headers": [(b"host", b"127.0.0.1:80"), (b"content-type",
                 b"application/json"), (b"content-length", str(len(body)).encode())]}  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            assert message.get("status", 200) == 200, message

        for _ in range(200):
            await app(dict(scope), receive, send)
        began = time.process_time()
        for _ in range(2000):
            await app(dict(scope), receive, send)
        return (time.process_time() - began) / 2000 * 1000

    config = ServeConfig()
    with (
        mock.patch.object(Index, "search", return_value=hits),
        contextlib.closing(AuditLog(None)) as audit,
        Service([index], config.limits) as service,
    ):
        least = Starlette(routes=[Route("/v1/indexes/{index}/search", bare, methods=["POST"])])
        for name, app in {"Starlette alone": least, "relance serve": build(service, config, audit)}.items():
            print(f"{name}: {min(asyncio.run(ask(app)) for _ in range(3)):.3f} CPU-ms a request")


if __name__ == "__main__":
    main()
