"""The rules by which calls go wrong on purpose."""

from __future__ import annotations

import random
from typing import Any

from relance_emulator.fault import Fault
from relance_emulator.wire import Call

__all__ = ["Faults"]


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
            if rule.times == 0 or not rule.fits(call.path, call.kind, call.model, call.json):
                continue
            if rule.skip:
                rule.skip -= 1
            elif rule.probability == 1 or self._dice.random() < rule.probability:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None
