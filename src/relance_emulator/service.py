"""The emulated service: its parts, and how a call goes through them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from relance_emulator import auth, validation
from relance_emulator.batch_queue import BatchQueue
from relance_emulator.config import EmulatorConfig
from relance_emulator.fault import ACTIONS
from relance_emulator.faults import Faults
from relance_emulator.file_store import FileStore
from relance_emulator.limits import Limits
from relance_emulator.pictures import Pictures
from relance_emulator.problems import Problem, named
from relance_emulator.stats import Stats
from relance_emulator.task_queue import TaskQueue
from relance_emulator.upload_store import UploadStore
from relance_emulator.vectors import Vectors
from relance_emulator.wire import Call, Reply, as_json

__all__ = ["Handler", "Service"]

Handler = Callable[["Service", Call], Awaitable[Reply]]


class Service:
    """Everything one emulator knows; belongs to one event loop."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.vectors = Vectors(config.vectors)
        self.pictures = Pictures(self.vectors)
        self.limits = Limits(config)
        self.faults = Faults(config.seed)
        self.stats = Stats(config.record)
        self.uploads = UploadStore()
        self.files = FileStore()
        self.batches = BatchQueue(config, self.vectors, self.files, self.stats)
        self.tasks = TaskQueue(config, self.vectors, self.stats)

    async def warm(self) -> None:
        """Load tokenizer and model, which takes a second, before the first call asks for them."""
        validation.count_tokens(["warm"])
        await self.vectors.of_texts(["warm"])

    async def reset(self) -> None:
        """Forget everything but the configuration."""
        await self.batches.stop()
        await self.tasks.stop()
        self.faults.replace([])
        self.limits.reset()
        self.uploads.clear()
        self.files.clear()
        self.stats.reset()

    async def aclose(self) -> None:
        """Stop what runs in the background and release the local model."""
        await self.batches.stop()
        await self.tasks.stop()
        await self.vectors.aclose()

    async def pace(self, inputs: int) -> None:
        """Take as long as a request of that many inputs is configured to take."""
        milliseconds = self.config.base_ms + self.config.per_text_ms * inputs
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)

    async def admit(self, model: str, tokens: int, inputs: int) -> None:
        """Count tokens against the limits of a model, which may refuse them, and take the time of a request."""
        self.limits.tokens(model, tokens)
        await self.pace(inputs)

    async def answer(self, call: Call, handler: Handler, *, open_to_all: bool = False) -> Reply:
        """Answer a call, refusals included."""
        try:
            fault = call.fault
            if fault and fault.action == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault and fault.action == "html":
                return Reply(GATEWAY, 502, {"server": "nginx"}, "text/html")
            elif fault and fault.action == "ok_with_code":
                return self._refuse(call, named(fault.code, fault.message), 200)
            elif fault and fault.action not in ACTIONS:
                return self._refuse(call, named(fault.action, fault.message))
            if not open_to_all:
                auth.check(self.config, call)
            return await handler(self, call)
        except Problem as problem:
            return self._refuse(call, problem)
        except Exception as error:  # a mistake in the emulator must be seen by who tests with it
            return self._refuse(call, named("InternalError", f"the emulator itself failed: {error!r}"))

    def _refuse(self, call: Call, problem: Problem, status: int = 0) -> Reply:
        """Turn a problem into the reply that the call's protocol has for it."""
        body = problem.compatible(call.request_id) if call.compatible else problem.native(call.request_id)
        wait = call.fault.retry_after if call.fault else None
        if wait is None and problem.status == 429:
            wait = self.config.retry_after_s
        headers = {} if wait is None else {"retry-after": f"{wait:g}"}
        return Reply(as_json(body), status or problem.status, headers)


GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"</body>\r\n</html>\r\n"
)
