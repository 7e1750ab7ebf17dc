"""The two kinds of files: requests, a text to a line, and results, which come in any order and describe themselves."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from relance.embedding.batch_api.endpoint import Endpoint
from relance.embedding.providers import ModelInfo
from relance.embedding.vectors import check_vectors

__all__ = ["MAX_BYTES", "MAX_LINES", "Requests", "Results", "Sheet", "read_results"]

# The vendor's page on the Batch API (March 2026) allows 50,000 requests and 500 MB a file, OpenAI's 50,000 and 200 MB.
# A fifth of that: what comes back is ten times as long, and several files are worked off side by side.
MAX_LINES = 10_000
MAX_BYTES = 100_000_000
# At 1,024 numbers a line has some 20 kB: enough of them to be quick, few enough to be small.
_BLOCK = 256
# Ends of lines to some readers, and allowed as they are in JSON.
_SEPARATORS = {b"\xc2\x85": rb"\u0085", b"\xe2\x80\xa8": rb"\u2028", b"\xe2\x80\xa9": rb"\u2029"}
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Sheet:
    """One file of requests, on its way to the service."""

    file: IO[bytes]
    lines: int = 0
    tokens: int = 0
    size: int = 0


class Requests:
    """Files of requests, filled one after the other; a context manager, for they are temporary."""

    def __init__(self, endpoint: Endpoint, *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self._endpoint = endpoint
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._exits = contextlib.ExitStack()
        self.sheets: list[Sheet] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def add(self, key: str, text: str, tokens: int) -> None:
        """Ask for the vector of a text; the key is what its result will be known by."""
        from pydantic_core import to_json

        try:
            text.encode()
        except UnicodeEncodeError:  # halves of surrogate pairs; replaced as they are online
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        request = {"custom_id": key, "method": "POST", "url": "/v1/embeddings", "body": self._endpoint.body(text)}
        line = to_json(request) + b"\n"
        for raw, escaped in _SEPARATORS.items():
            line = line.replace(raw, escaped)
        sheet = self.sheets[-1] if self.sheets else None
        if sheet is None or sheet.lines >= self._max_lines or sheet.size + len(line) > self._max_bytes:
            file = tempfile.TemporaryFile(prefix="relance-")  # noqa: SIM115  # `__exit__` closes it
            self._exits.enter_context(file)
            sheet = Sheet(file)
            self.sheets.append(sheet)
        sheet.file.write(line)
        sheet.lines += 1
        sheet.tokens += tokens
        sheet.size += len(line)

    @property
    def lines(self) -> int:
        """How many texts are asked for."""
        return sum(sheet.lines for sheet in self.sheets)


@dataclass(slots=True)
class Results:
    """What some lines of a result say.

    Attributes:
        keys: of texts that have a vector.
        vectors: float32, shape (len(keys), dimension), fit to be stored.
        tokens: as billed for them and for what came with them; lines without a bill are `unbilled`.
        failures: key → why there is no vector.
    """

    keys: list[str] = field(default_factory=list)
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    tokens: int = 0
    unbilled: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def read_results(file: IO[bytes], info: ModelInfo) -> Iterator[Results]:
    """Read a result or error file from its beginning, some hundred lines at a time; lines of no use are passed over."""
    file.seek(0)
    block, rows = Results(), []
    for line in file:
        _read(line, info, block, rows)
        if len(rows) + len(block.failures) >= _BLOCK:
            yield _checked(block, rows, info)
            block, rows = Results(), []
    yield _checked(block, rows, info)


def _read(line: bytes, info: ModelInfo, block: Results, rows: list[NDArray[np.float32]]) -> None:
    from pydantic_core import from_json

    try:
        result = from_json(line)
        key = result["custom_id"]
        if not _KEY.fullmatch(key):
            return
    except (ValueError, KeyError, TypeError):
        return  # cut off, or not ours: what has no vector is embedded online
    response = result.get("response")
    response = response if isinstance(response, dict) else {}
    body = response.get("body")
    body = body if isinstance(body, dict) else {}
    if response.get("status_code") != 200 or result.get("error") or body.get("error"):
        block.failures[key] = _reason(result.get("error") or body.get("error") or body)
        return
    usage = body.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    if isinstance(tokens, int):
        block.tokens += tokens
    else:
        block.unbilled += 1
    try:
        with np.errstate(over="ignore"):  # a number too large becomes infinite, which is found out below
            vector = np.array(body["data"][0]["embedding"], dtype=np.float32)
    except (KeyError, IndexError, TypeError, ValueError):
        block.failures[key] = "The result holds no vector."
        return
    if vector.shape != (info.dimension,):
        block.failures[key] = f"The result holds a vector of shape {vector.shape} for ({info.dimension},)."
        return
    block.keys.append(key)
    rows.append(vector)


def _reason(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or error.get("code") or "The service gives no reason.")


def _checked(block: Results, rows: list[NDArray[np.float32]], info: ModelInfo) -> Results:
    """Put the vectors together, normalised; those that are not finite or zero become failures."""
    if not rows:
        return block
    vectors, bad = check_vectors(np.stack(rows), normalized=info.normalized)
    for position, what in bad.items():
        block.failures[block.keys[position]] = f"The result holds a vector {what}."
    good = [position for position in range(len(rows)) if position not in bad]
    block.keys = [block.keys[position] for position in good]
    block.vectors = vectors[good]
    return block
