"""What can be set on an emulator before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["EmulatorConfig", "Rate", "VectorsBy"]


VectorsBy = Literal["local/wordllama", "local/multilingual-e5-small", "hash"]


class Rate(NamedTuple):
    """Limits of one model; 0 is no limit."""

    requests_per_minute: float
    tokens_per_minute: float


@dataclass(frozen=True, kw_only=True)
class EmulatorConfig:
    """Settings of one emulator; the defaults suit tests.

    Attributes:
        host: address to listen on; the emulator fetches whatever URL it is given, so keep it to this machine.
        port: 0 takes a free one.
        region: `beijing`, `singapore`, `hongkong` or `us`: which models there are, and the published limits; empty
            has all models and Beijing's limits.
        keys: accepted keys and the region each belongs to (empty: any); without keys everything that starts with
            `sk-` is accepted.
        workspaces: accepted values of X-DashScope-WorkSpace; empty accepts all.
        vectors: where meaning comes from: `local/wordllama`, `local/multilingual-e5-small`, or `hash` (words only,
            fast).
        limits: `off`, `published`, or a Rate per model; the model `*` stands for all others.
        retry_after_s: what the header Retry-After of a 429 says; None leaves it out, as the service does.
        base_ms: how long every embedding request takes.
        per_text_ms: how long every text or picture of it takes besides.
        base64: whether the compatible route answers in base64 when asked; if not, it sends numbers. What the service
            does is not known.
        batch_s: how long a batch stays `in_progress`, and a tenth of it `validating` and `finalizing`.
        batch_expires_s: age at which an unfinished batch expires; None is what its completion window says.
        task_s: how long an asynchronous task waits, and then runs.
        policy_s: how long an upload policy is valid.
        files: folder served below `/files`, for pictures and videos that are given by address; None serves nothing.
        record: how many of the latest requests `GET /_emulator/requests` shows.
        seed: of the dice that faults with a probability throw.
    """

    host: str = "127.0.0.1"
    port: int = 0
    region: Literal["", "beijing", "singapore", "hongkong", "us"] = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    workspaces: tuple[str, ...] = ()
    vectors: VectorsBy = "local/wordllama"
    limits: Literal["off", "published"] | Mapping[str, Rate] = "off"
    retry_after_s: float | None = None
    base_ms: float = 0.0
    per_text_ms: float = 0.0
    base64: bool = True
    batch_s: float = 0.3
    batch_expires_s: float | None = None
    task_s: float = 0.1
    policy_s: float = 300.0
    files: Path | None = None
    record: int = 0
    seed: int = 0
