"""One thing that goes wrong on purpose: for which calls, how often, and what happens."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from relance_emulator.problems import DOCUMENTED

__all__ = ["ACTIONS", "Fault"]

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

    def fits(self, path: str, kind: str, model: str, body: Any) -> bool:
        """Say whether it is for a call with this JSON body."""
        return (
            self.path in path
            and self.kind in {"", kind}
            and (not self.model or self.model == model)
            and (not self.match or any(self.match in text for text in _strings(body)))
        )


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]
