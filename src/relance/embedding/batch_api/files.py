"""The calls of the Batch file API: files up, batches ordered and watched, results down."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Container
from dataclasses import dataclass
from typing import IO, Any, NoReturn, TypeVar

from relance.embedding.batch_api.endpoint import Endpoint
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.refusals import Refusal, read_refusal, refusal
from relance.errors import ConfigurationError, InputError, RateLimitedError, RetryableError

__all__ = ["Batch", "BatchFiles", "Problem"]

T = TypeVar("T")

# A batch takes hours: a service that is away for some minutes is waited for.
PATIENCE_S = 600.0
WINDOW = "24h"  # the shortest; at its end the service sends what is done
# A page of the list is the most the service gives; ten of them hold what one account orders in a day.
PAGE = 100
PAGES = 10
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(slots=True, frozen=True)
class Problem:
    """Why a batch was not begun; `line` counts from 1, 0 is none in particular."""

    code: str
    message: str
    line: int = 0


@dataclass(slots=True, frozen=True)
class Batch:
    """A batch, as the service shows it.

    Attributes:
        status: validating, in_progress, finalizing, completed, failed, expired, cancelling or cancelled.
        results: ids of the files it has left: vectors, errors.
        done: lines worked off, well or badly.
    """

    id: str
    status: str
    input_file_id: str = ""
    name: str = ""
    results: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    done: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ENDED


class BatchFiles:
    """One service's files and batches; every call waits out what passes, unless `stop` says otherwise.

    All raise RetryableError (away for too long), ConfigurationError or AccountError.
    """

    def __init__(self, endpoint: Endpoint, *, stop: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        self._endpoint = endpoint
        self._stop = stop
        self._patience_s = patience_s
        self.blind = False

    async def upload(self, file: IO[bytes], name: str) -> str:
        """Send a file of requests; returns its id."""

        async def send() -> str:
            file.seek(0)
            form = {"data": {"purpose": "batch"}, "files": {"file": (f"{name}.jsonl", file, "application/jsonl")}}
            answer = await self._call("POST", "/files", **form)
            return _text(answer, "id") or self._strange("/files")

        return await self._patiently(send)

    async def submit(self, file_id: str, name: str) -> Batch:
        """Order a batch of an uploaded file; looks for it first wherever an earlier try may have succeeded."""
        unsure = False

        async def send() -> Batch:
            nonlocal unsure
            if unsure and (found := await self._search(file_id, name)):
                return found
            body = {
                "input_file_id": file_id,
                "endpoint": "/v1/embeddings",
                "completion_window": WINDOW,
                "metadata": {"ds_name": name},
            }
            try:
                return self._batch(await self._call("POST", "/batches", json=body))
            except RateLimitedError:
                raise
            except RetryableError:
                unsure = True
                raise

        return await self._patiently(send)

    async def find(self, file_id: str, name: str) -> Batch | None:
        """Look for the batch of a file; sets `blind` where the service does not list its batches."""
        return await self._patiently(lambda: self._search(file_id, name))

    async def get(self, batch_id: str) -> Batch | None:
        """Look at a batch; None if the service, or this account, knows nothing of it."""

        async def ask() -> Batch | None:
            answer = await self._call("GET", f"/batches/{batch_id}", absent={404})
            return None if answer is None else self._batch(answer)

        return await self._patiently(ask)

    async def cancel(self, batch_id: str) -> None:
        """Ask for a batch to be ended; it leaves what is done by then. One that has ended is left alone."""
        await self._patiently(lambda: self._call("POST", f"/batches/{batch_id}/cancel", absent={400, 404, 409}))

    async def download(self, file_id: str, into: IO[bytes]) -> bool:
        """Write a file's content into another; false where it is gone."""

        async def fetch() -> bool:
            into.seek(0)
            into.truncate()
            async with self._stream(f"/files/{file_id}/content") as response:
                if response.status_code == 404:
                    return False
                if not response.is_success:
                    await response.aread()
                    raise self._error(read_refusal(response, _json(response.content)))
                async for part in response.aiter_bytes(1 << 18):
                    into.write(part)
            return True

        return await self._patiently(fetch)

    async def delete(self, file_id: str) -> None:
        """Remove a file that is of no use any more."""
        await self._call("DELETE", f"/files/{file_id}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.service.aclose()

    async def _search(self, file_id: str, name: str) -> Batch | None:
        params = {"limit": str(PAGE)} | ({"input_file_ids": file_id} if self._endpoint.dashscope else {})
        for _ in range(PAGES):
            answer = await self._call("GET", "/batches", params=params, absent={404, 405, 501})
            if answer is None:
                self.blind = True
                return None
            batches = [self._batch(each) for each in answer.get("data") or ()]
            for batch in batches:
                if batch.input_file_id == file_id or batch.name == name:
                    return batch
            if not (batches and answer.get("has_more")):
                return None
            params["after"] = batches[-1].id
        return None

    async def _call(self, method: str, path: str, *, absent: Container[int] = (), **options: Any) -> Any:
        """Make one request; returns the JSON object of the answer, or None for a status in `absent`."""
        response = await self._endpoint.service.request(method, self._endpoint.url + path, **options)
        if response.status_code in absent:
            return None
        if (no := refusal(response)) is not None:
            if no.status in {404, 405} and path in {"/files", "/batches"}:
                name = self._endpoint.service.name
                raise ConfigurationError(
                    f"embedding.mode: {name} has no batches ({method} {path} said {no.status}); set mode: online."
                )
            raise self._error(no)
        answer = _json(response.content)
        if not isinstance(answer, dict):
            self._strange(path)
        if answer.get("code"):  # a refusal may come with status 200
            raise self._error(read_refusal(response, answer))
        return answer

    @contextlib.asynccontextmanager
    async def _stream(self, path: str) -> AsyncGenerator[Any]:
        from relance.http.client import RequestError

        service = self._endpoint.service
        try:
            # Results are hundreds of megabytes; every other answer is read whole.
            async with service._client.stream("GET", self._endpoint.url + path) as response:  # noqa: SLF001
                yield response
        except RequestError as error:
            why = service.clean(str(error)) or type(error).__name__
            raise RetryableError(f"The connection to {service.name} broke: {why}.") from error

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, again if need be."""
        import stamina

        def again(error: Exception) -> bool | float:
            if self._stop() or not isinstance(error, RetryableError):
                return False
            if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
                return min(error.retry_after_s, self._patience_s)
            return True

        attempts = stamina.retry_context(
            on=again, attempts=None, timeout=self._patience_s, wait_initial=0.5, wait_max=30.0, wait_jitter=0.5
        )
        async for attempt in attempts:
            with attempt:
                return await call()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _batch(self, value: dict[str, Any]) -> Batch:
        try:
            metadata, counts = value.get("metadata") or {}, value.get("request_counts") or {}
            listed = (value.get("errors") or {}).get("data") or ()
            return Batch(
                value["id"],
                value["status"],
                _text(value, "input_file_id"),
                _text(metadata, "ds_name"),
                tuple(filter(None, (_text(value, "output_file_id"), _text(value, "error_file_id")))),
                tuple(Problem(_text(each, "code"), _text(each, "message"), each.get("line") or 0) for each in listed),
                (counts.get("completed") or 0) + (counts.get("failed") or 0),
            )
        except (AttributeError, KeyError, TypeError):
            return self._strange("/batches")

    def _error(self, no: Refusal) -> Exception:
        error = self._endpoint.error(self._endpoint.service.cleaned(no))
        # There is no input here that could be left out.
        return ConfigurationError(str(error)) if isinstance(error, InputError) else error

    def _strange(self, path: str) -> NoReturn:
        raise BadReplyError(f"{self._endpoint.service.name} answered {path} with something else than was requested.")


def _json(content: bytes) -> Any:
    from pydantic_core import from_json

    try:
        return from_json(content)
    except ValueError:
        return None


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    return text if isinstance(text, str) else ""
