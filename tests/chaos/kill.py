"""One kill in the middle of something that relance does to an index, and what becomes of the index."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos.command_victim import Nursery
from tests.chaos.world import IN_FLIGHT, World

from relance.errors import ConfigurationError
from relance.index import Index
from relance.store import open_store
from relance.store.catalog import Catalog

__all__ = ["ACTIONS", "STORES", "WAYS", "Kill", "Kills", "Outcome"]

ACTIONS = ("cold", "edit", "rename", "model", "reembed", "rollback", "maintain", "doctor", "batch", "media")
WAYS = ("kill", "term", "loss")
STORES = ("folder", "s3")
_INGEST = ["ingest", "SPEC", "--direct", "--yes", "--wait", "30"]
_COMMANDS = {
    "reembed": ["reembed", "SPEC", "--yes", "--wait", "30"],
    "rollback": ["rollback", "SPEC"],
    "maintain": ["maintain", "SPEC"],
    "doctor": ["doctor", "SPEC", "--repair", "--wait", "30"],
}
_ENDS_WITHIN_S = 10.0
# Files that were written so shortly before the power went may be empty, torn or missing.
_MOMENT_S = 0.3


@dataclass(frozen=True)
class Kill:
    """One kill: in the middle of what, how, where, and when (a share of the time that takes)."""

    number: int
    seed: int
    action: str
    way: str
    engine: str
    store: str
    share: float

    @classmethod
    def of(cls, number: int, seed: int, actions: Sequence[str], ways: Sequence[str], stores: Sequence[str]) -> Kill:
        rng = random.Random(seed * 1_000_003 + number)
        action = actions[number % len(actions)]
        store = rng.choice(stores) if action not in {"batch", "media"} else "folder"
        way = rng.choice([each for each in ways if store == "folder" or each != "loss"])
        # Two processes import everything, 6 CPU-s, before they work.
        engine = rng.choice(["threads"] * 4 + ["processes"]) if action not in _COMMANDS else "threads"
        return cls(number, seed, action, way, engine, store, rng.uniform(0.0, 1.0))

    @property
    def kind(self) -> str:
        return self.action if self.action in {"batch", "media"} else "plain"

    @property
    def variant(self) -> int:
        return self.number // len(ACTIONS) % 3

    def command(self, world: World) -> list[str]:
        """Write the command line that is killed."""
        command = [str(world.spec) if each == "SPEC" else each for each in _COMMANDS.get(self.action, _INGEST)]
        return command + (["--engine", "processes", "--workers", "2"] if self.engine == "processes" else [])


@dataclass
class Outcome:
    """What a kill did: whether it hit, what was wrong after it, and how many texts were bought again."""

    kill: Kill
    hit: bool = False
    again: int = 0
    damaged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Kills:
    """Templates to copy worlds from, what undisturbed runs made of them, and the next victims."""

    def __init__(self, folder: Path, emulator: str, s3: dict[str, str]) -> None:
        self._folder, self._emulator, self._s3 = folder, emulator, s3
        self._templates: dict[tuple[str, str, bool], World] = {}
        self._calm: dict[tuple[str, int], tuple[Any, int]] = {}
        self._seconds: dict[tuple[str, str, str], float] = {}
        self._nursery = Nursery()
        self._made = 0

    def close(self) -> None:
        self._nursery.close()

    def run(self, kill: Kill) -> Outcome:
        """Kill once, and see what becomes of it."""
        expected, bought = self._undisturbed(kill)
        outcome, world = Outcome(kill), self._world(kill)
        try:
            self._shoot(kill, world, outcome)
            if not outcome.wrong:
                self._look(kill, world, outcome)
                self._heal(kill, world, outcome, expected, bought)
        finally:
            world.remove()
        return outcome

    # -- the parts of it -----------------------------------------------------------------------------------------

    def _shoot(self, kill: Kill, world: World, outcome: Outcome) -> None:
        takes_s = self._takes(kill)
        said, began = world.folder / "said.txt", time.monotonic()
        self._nursery.start(kill.command(world), _environment(world), said)
        if self._nursery.wait(takes_s * kill.share):
            self._seconds[_pace(kill)] = time.monotonic() - began  # the machine has become faster
        at = time.time()
        outcome.hit = self._nursery.send(signal.SIGTERM if kill.way == "term" else signal.SIGKILL)
        # Where so much else is going on that the whole takes longer, the end may take as long as that.
        within_s = max(_ENDS_WITHIN_S, takes_s)
        if self._nursery.end(within_s) is None:
            outcome.wrong.append(f"no end within {within_s:.0f} s of SIGTERM")
        if kill.way == "term" and "Traceback" in (told := said.read_text(encoding="utf-8")):
            outcome.wrong.append(f"a traceback at SIGTERM: {told[-4000:]}")
        if kill.way == "loss" and outcome.hit:
            outcome.damaged = lose_power(world.folder / "db", at - _MOMENT_S, random.Random(kill.number))
        if kill.store == "s3":
            _end_lease(world)

    def _look(self, kill: Kill, world: World, outcome: Outcome) -> None:
        """Search right after it: there is always something to find, but in an index that was never whole."""
        if kill.way == "loss" or kill.kind == "media":
            return
        index, first = Index(world.spec), kill.action in {"cold", "batch"}
        for mode in ("dense", "full-text", "hybrid"):
            try:
                if not index.search("the river", mode=mode, k=3) and not first:
                    outcome.wrong.append(f"a {mode} search found nothing")
            except Exception as error:
                if not (first and isinstance(error, ConfigurationError)):
                    outcome.wrong.append(f"a {mode} search: {type(error).__name__}: {error}")

    def _heal(self, kill: Kill, world: World, outcome: Outcome, expected: Any, bought: int) -> None:
        try:
            report = _finish(kill, world)
            if world.rows() != expected:
                outcome.wrong.append(f"the next run left other rows ({report.status}, {report.failures[:1]})")
            outcome.again = world.bought() - bought
            if outcome.again > IN_FLIGHT and kill.way != "loss":
                outcome.wrong.append(f"{outcome.again} texts were bought again, more than the {IN_FLIGHT} in flight")
            calm = _ingest(world)
            if calm.embedded or calm.changed or calm.added or calm.failed:
                outcome.wrong.append(
                    f"the run after that was not calm: {calm.status} {calm.changed} {calm.failures[:1]}"
                )
        except Exception as error:
            outcome.wrong.append(f"the next run: {type(error).__name__}: {str(error)[:400]}")

    def _takes(self, kill: Kill) -> float:
        """Return the seconds that it took lately when nobody killed it."""
        if _pace(kill) not in self._seconds:
            world, began = self._world(kill), time.monotonic()
            self._nursery.start(kill.command(world), _environment(world), world.folder / "said.txt")
            self._nursery.end(600)
            self._seconds[_pace(kill)] = time.monotonic() - began
            world.remove()
        return self._seconds[_pace(kill)]

    def _undisturbed(self, kill: Kill) -> tuple[Any, int]:
        """Return rows and texts bought of a run that nobody kills: they are the same on threads in a folder."""
        key = (kill.action, kill.variant)
        if key not in self._calm:
            calm = replace(kill, engine="threads", store="folder")
            world, began = self._world(calm), time.monotonic()
            said = world.folder / "said.txt"
            self._nursery.start(calm.command(world), _environment(world), said)
            code = self._nursery.end(600)
            self._seconds[_pace(calm)] = time.monotonic() - began
            assert code == 0 or kill.action == "doctor", said.read_text(encoding="utf-8")
            if kill.action in _COMMANDS:
                _finish(calm, world)
            self._calm[key] = world.rows(), world.bought()
            world.remove()
        return self._calm[key]

    def _world(self, kill: Kill) -> World:
        """Copy a template and do to the sources what the action is about."""
        self._made += 1
        seed, folder = kill.variant, self._folder / f"w{self._made}"
        cold = kill.action in {"cold", "batch"}
        world = self._template(kill.kind, kill.store, cold=cold).copy(folder)
        if kill.action in {"edit", "media"}:
            world.edit(seed)
        elif kill.action == "rename":
            world.rename(seed)
        elif kill.action in {"model", "reembed"}:
            world = replace(world, dimension=32)
            world.declare()
        elif kill.action in _COMMANDS:
            world.edit(seed)
            _ingest(world)
        if kill.action == "doctor":
            world.hurt()
        world.forget()
        return world

    def _template(self, kind: str, store: str, *, cold: bool) -> World:
        key = (kind, store, cold)
        if key not in self._templates:
            world = World(folder=self._folder / "-".join(["template", kind, store, "cold" if cold else "full"]), kind=kind,
                          emulator=self._emulator, seed=0, s3=self._s3 if store == "s3" else {})  # fmt: skip
            world.fill()
            if not cold:
                _ingest(world)
            self._templates[key] = world
        return self._templates[key]


def _pace(kill: Kill) -> tuple[str, str, str]:
    return kill.action, kill.store, kill.engine


def lose_power(folder: Path, since: float, rng: random.Random) -> list[str]:
    """Empty, halve or remove files that were written since a moment; returns which."""
    done = []
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            if not path.is_file() or path.stat().st_mtime < since or rng.random() < 0.3:
                continue
            what = rng.choice(["emptied", "halved", "removed"])
            size = path.stat().st_size
            if what == "removed":
                path.unlink()
            else:
                os.truncate(path, 0 if what == "emptied" else size // 2)
            done.append(f"{what} {path.relative_to(folder)}")
    return done


def _finish(kill: Kill, world: World) -> Any:
    """Run again; what a run does not go on with by itself is asked for again before."""
    if kill.action == "reembed":
        from relance.reembed import reembed

        with _environ(_environment(world, delay_s=0.0)):
            reembed(Index(world.spec).spec, approved=True, regardless=True, wait_s=30)
    return _ingest(world)


def _ingest(world: World) -> Any:
    """Run here, with the environment of the victims."""
    with _environ(_environment(world, delay_s=0.0)):
        return Index(world.spec).ingest(approved=True, wait_s=30)


def _environment(world: World, delay_s: float = 0.01) -> dict[str, str]:
    return {"RELANCE_FAKE_LOG": str(world.log), "RELANCE_FAKE_DELAY_S": str(delay_s), "TMPDIR": str(world.folder),
            "XDG_STATE_HOME": str(world.folder / "state")}  # fmt: skip


@contextmanager
def _environ(values: dict[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _end_lease(world: World) -> None:
    """Let the 90 s pass after which the lease of a dead run ends."""
    catalog = Catalog(open_store(Index(world.spec).spec))
    table = catalog.table
    for row in [] if table is None else table.search().where("key LIKE 'lock/%'").select(["key"]).to_list():
        lease = catalog.get(row["key"])
        if lease is not None:
            catalog.put(row["key"], lease | {"expires": 0.0}, expected=lease)
