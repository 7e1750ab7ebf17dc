"""A request and a reply, as the parts of the emulator pass them on; knows no web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import uuid4

from relance_emulator.fault import Fault

__all__ = ["Billing", "Call", "Reply", "Upload", "as_json"]


def as_json(value: Any) -> bytes:
    """Write compact JSON."""
    from pydantic_core import to_json

    return to_json(value)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    filename: str
    content: bytes


@dataclass(kw_only=True)
class Call:
    """A request.

    Attributes:
        kind: which service it is for, e.g. `text`; see `app.py`.
        origin: `http://host:port` as the client called it.
        headers: by lower-case name.
        names: the parts of the path that vary.
        form: fields of a multipart body.
        fault: what has been scripted to go wrong with the reply.
    """

    kind: str
    method: str
    path: str
    origin: str
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    form: Mapping[str, str | Upload] = field(default_factory=dict)
    request_id: str = field(default_factory=lambda: str(uuid4()))
    fault: Fault | None = None

    @property
    def compatible(self) -> bool:
        """Whether it speaks OpenAI's protocol."""
        return self.path.startswith("/compatible-mode/")

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        from pydantic_core import from_json

        try:
            return from_json(self.body)
        except ValueError:
            return None

    @property
    def model(self) -> str:
        """The model it names, or an empty string."""
        model = self.json.get("model") if isinstance(self.json, dict) else None
        return model if isinstance(model, str) else ""


@dataclass(frozen=True, slots=True)
class Billing:
    """What a reply costs once it is delivered.

    Attributes:
        keys: one per text or picture; equal where the same was embedded in the same way.
    """

    model: str
    keys: list[int]
    tokens: int


@dataclass(slots=True)
class Reply:
    """A response; headers come on top of those every reply has."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    billing: Billing | None = None
