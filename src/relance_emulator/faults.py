"""What goes wrong on purpose: rules for which calls, how often, and what happens."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from relance_emulator.problems import DOCUMENTED
from relance_emulator.wire import Call

__all__ = ["ACTIONS", "Fault", "Faults"]

# What can happen besides the documented problems.
ACTIONS = {
    "slow": "the answer comes `seconds` later",
    "reset": "the connection is reset instead of an answer",
    "truncated": "the connection ends in the middle of the answer",
    "ok_with_code": "status 200, and a body that says `code`",
    "html": "status 502 and a web page, as a gateway sends it",
    "shuffled": "the embeddings come in reverse order",
    "missing_item": "the last embedding is left out",
    "missing_usage": "the bill is left out",
    "gzip": "the answer is compressed",
}


class Fault(BaseModel):
    """A rule; a call meets the first one that fits.

    Attributes:
        path: part of the path.
        kind: `text`, `multimodal`, `rerank`, `compatible`, `uploads`, `files`, `batches` or `tasks`.
        model: exact name.
        match: part of one of the texts or addresses in the call.
        times: how many calls it is for.
        skip: how many fitting calls pass before.
        probability: with which a fitting call is hit.
        action: one of `ACTIONS`, or a name from `problems.DOCUMENTED`.
        seconds: for `slow`.
        code: for `ok_with_code`.
        message: instead of the documented words.
        retry_after: seconds that the header Retry-After says.
    """

    model_config = ConfigDict(extra="forbid")

    path: str = ""
    kind: Literal["", "text", "multimodal", "rerank", "compatible", "uploads", "files", "batches", "tasks"] = ""
    model: str = ""
    match: str = ""
    times: int | None = Field(default=None, ge=0)
    skip: int = Field(default=0, ge=0)
    probability: float = Field(default=1.0, ge=0, le=1)
    action: str
    seconds: float = Field(default=1.0, ge=0)
    code: str = "InternalError"
    message: str = ""
    retry_after: float | None = None

    @field_validator("action", "code")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DOCUMENTED and name not in ACTIONS:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join([*ACTIONS, *DOCUMENTED])}")
        return name

    @property
    def lost(self) -> bool:
        """Whether the client gets no usable answer, though the service has worked."""
        return self.action in {"truncated", "missing_item"}

    def fits(self, call: Call) -> bool:
        """Say whether it is for this call."""
        return (
            self.path in call.path
            and self.kind in {"", call.kind}
            and (not self.model or self.model == call.model)
            and (not self.match or any(self.match in text for text in _strings(call.json)))
        )


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
        self.rules: list[Fault] = []

    def replace(self, rules: Any) -> None:
        """Put rules in place of those there are, and start the dice anew; raises ValidationError."""
        self.rules = [Fault.model_validate(rule) for rule in rules]
        self._dice.seed(self._seed)

    def pick(self, call: Call) -> Fault | None:
        """Return what happens to a call, and count it."""
        for rule in self.rules:
            if rule.times == 0 or not rule.fits(call):
                continue
            if rule.skip:
                rule.skip -= 1
            elif rule.probability == 1 or self._dice.random() < rule.probability:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]
