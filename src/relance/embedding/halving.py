"""The search of one batch for what the service cannot embed: by halves, whatever it answers with."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from relance.documents import Media
from relance.embedding.job import Job
from relance.embedding.providers import BadReplyError, Reply
from relance.errors import (
    DeniedError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
    UnfetchedError,
    UnreachableError,
)

__all__ = ["Halving", "Sender"]

# So often the service may fall over an input before that is suspected, and once less over a batch; more often where it
# falls over anything: a gateway with one dead server of five behind it falls three times in a row over each 125th.
FALLS = 3
CHANCE = 1e-4
# A reply that is no list of vectors is hardly ever chance.
BAD_REPLIES = 2
# The service may go away so often while it works on a batch before that is suspected: some inputs crash servers.
CRASHES = 2
# After so many parts in a row that did not go through, the service may have gone: it has to prove that it is well.
SILENT = 5


@dataclass(slots=True)
class _Part:
    """Inputs that are sent in one request.

    Attributes:
        positions: of the job's inputs.
        mark: requests that had been answered when this was to be sent; more of them: the service was well since.
        outages: times the service had been away by then.
        falls: how often the service fell over it.
        error: as it did so last.
        whole: whether it is the batch as it was packed.
    """

    positions: list[int]
    mark: int
    outages: int
    falls: int = 0
    error: RelanceError | None = None
    whole: bool = False


class Sender(Protocol):
    """What sends parts of a batch, and those of others beside it: the dispatcher.

    Attributes:
        attempts: how often a request is tried before the service is given up.
        answered: requests that brought vectors, of whomever.
        outages: times that nothing was answered at all.
        recovered: requests that brought vectors for what the service had fallen over before.
    """

    attempts: int
    answered: int
    outages: int
    recovered: int

    async def send(self, job: Job, part: list[int], *, again: Callable[[RelanceError], bool]) -> Reply: ...  # noqa: D102
    async def prove(self, job: Job, error: RelanceError) -> None: ...  # noqa: D102
    def deliver(self, job: Job, part: list[int], reply: Reply) -> None: ...  # noqa: D102
    def shrink(self, most: int, *, sure: bool) -> None: ...  # noqa: D102


class Halving:
    """Sends one batch; where it does not go through and the service is well, it is split until the guilty are alone.

    The status says little: a text that makes NaN is answered with 500, one that a firewall dislikes with 403, one that
    is too long with 400, 413, 422, 424 or 500. What repeats says it all: an input that fails alone, again, while
    others go through, is guilty; while nothing goes through, it is the service, and is waited for.
    """

    def __init__(self, sender: Sender, job: Job, batch: list[int]) -> None:
        self._sender = sender
        self._job = job
        self._parts = deque([_Part(batch, sender.answered, sender.outages, whole=True)])
        self._silent = 0
        self._guilty = 0
        self._largest = 0  # part that went through
        self._split = self._refused = False
        self._outages = 0

    async def run(self) -> None:
        """Send all; hands vectors and failures to the job. Raises what is no input's fault."""
        job, sender = self._job, self._sender
        texts = all(isinstance(job.inputs[position], str) for position in self._parts[0].positions)
        while self._parts:
            part = self._parts.popleft()
            try:
                reply = await self._send(part)
            except (InputError, DeniedError, RetryableError) as error:
                if job.ended or isinstance(error, RateLimitedError):
                    raise
                if isinstance(error, UnreachableError):  # the service went away over it, or it was never there
                    if part.error is None:
                        raise
                    error = part.error
                self._silent += 1
                await self._judge(part, error)
            else:
                sender.recovered += part.falls > 0
                self._silent = 0
                self._largest = max(self._largest, len(part.positions))
                sender.deliver(job, part.positions, reply)
        # Nothing was wrong with the texts: the service takes fewer at once than we thought. Of media that says
        # nothing: the service fetches them itself, which may fail once.
        if self._split and texts and not self._guilty and not self._outages:
            sender.shrink(self._largest, sure=self._refused)

    @property
    def _falls(self) -> int:
        """How often the service has to fall over an input that is guilty, by how often it does so over any."""
        share = min(0.5, self._sender.recovered / (self._sender.answered + 1))
        needed = math.ceil(math.log(CHANCE) / math.log(share)) if share else FALLS
        return max(FALLS, min(needed, self._sender.attempts))

    async def _send(self, part: _Part) -> Reply:
        """Send a part, again as often as its kind may fall; counts what it did."""
        alone = len(part.positions) == 1
        tries = 1
        if part.whole and not part.falls:
            tries = self._falls if alone else self._falls - 1
        elif alone and not self._parts:  # nothing else is left to send meanwhile
            tries = max(1, self._falls - part.falls)

        def fell(error: RelanceError) -> bool:
            nonlocal tries
            part.falls, part.error = part.falls + 1, error
            tries -= 1
            enough = isinstance(error, BadReplyError) and part.falls >= BAD_REPLIES
            return tries > 0 and not enough

        return await self._sender.send(self._job, part.positions, again=fell)

    async def _judge(self, part: _Part, error: RelanceError) -> None:
        """Split a part, blame it, or let it wait; raises where it is the service."""
        sender = self._sender
        alone = len(part.positions) == 1
        needed = BAD_REPLIES if isinstance(error, BadReplyError) else self._falls
        if alone and isinstance(error, RetryableError) and part.falls < needed and self._parts:
            self._parts.append(part)  # what is sent meanwhile shows whether the service is well
            return
        well = sender.answered > (0 if isinstance(error, InputError) else part.mark)
        if not well or self._silent > SILENT:
            await sender.prove(self._job, error)
            self._silent = 0
        if sender.outages > part.outages:
            self._outages += 1
            if self._outages > 2 * sender.attempts:
                raise error
            if self._outages < CRASHES:  # else it is no chance that the service goes just when this is sent
                self._parts.append(_Part(part.positions, sender.answered, sender.outages, whole=part.whole))
                return
        if alone and isinstance(error, RetryableError) and (part.falls < needed or (part.whole and not well)):
            # Nothing else was sent while it fell: once more, now that the service is known to be well.
            self._parts.append(_Part(part.positions, part.mark, sender.outages, part.falls, error))
            return
        if alone:
            reason = str(error)
            if isinstance(error, UnfetchedError):
                reason = await self._replaced(part, error)
            if reason:
                self._job.failed(part.positions[0], reason)
                self._guilty += 1
            return
        self._split, self._refused = True, self._refused or isinstance(error, InputError)
        half = len(part.positions) // 2
        for positions in (part.positions[:half], part.positions[half:]):
            # A half is split as soon as it fails; an input alone is compared with what is answered from now on.
            mark = sender.answered if len(positions) == 1 else part.mark
            self._parts.append(_Part(positions, mark, sender.outages))

    async def _replaced(self, part: _Part, error: UnfetchedError) -> str:
        """Send the file in place of its address, which the service could not fetch; returns why that is not done."""
        job, position = self._job, part.positions[0]
        value = job.inputs[position]
        if job.instead is None or not isinstance(value, Media) or not value.urls:
            return str(error)
        try:
            job.inputs[position] = await job.instead(value)
        except RelanceError as why:
            return f"{error} It was not sent itself either: {why}"
        self._parts.append(_Part([position], self._sender.answered, self._sender.outages))
        return ""
