"""What parsing one document may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BOUNDS", "Bounds"]

_WAIT = 5  # times the CPU seconds, on a machine that is busy with other work


@dataclass(slots=True, frozen=True)
class Bounds:
    """Limits of one document; names are those of the section `limits` of the spec.

    Attributes:
        parse_s_per_mb: CPU seconds for each megabyte of the file; a smaller file gets as many as one megabyte.
        parse_memory: bytes beyond what the worker process has anyway.
        parse_output: bytes of text, metadata and all else that comes of it.
    """

    parse_s_per_mb: float = 20.0
    parse_memory: int = 512 << 20
    parse_output: int = 256 << 20

    def scaled(self, cpu: float, memory: float) -> Bounds:
        """Return the bounds with so many times the CPU seconds and memory."""
        return Bounds(self.parse_s_per_mb * cpu, int(self.parse_memory * memory), self.parse_output)

    def cpu_s(self, size: int) -> int:
        """Return the CPU seconds that a file of so many bytes may take, at least one."""
        return max(1, round(self.parse_s_per_mb * max(1.0, size / 1e6)))

    def wait_s(self, size: int) -> float:
        """Return how long to wait for it."""
        return 10.0 + _WAIT * self.cpu_s(size)


BOUNDS = Bounds()
