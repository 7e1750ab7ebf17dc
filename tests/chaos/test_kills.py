"""Kill it anywhere: after each kill the next run makes the index what an undisturbed one is, and buys little again.

A handful here; many more by `python -m tests.chaos.kills`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.kill import ACTIONS, STORES, Kill, Kills
from tests.chaos.kills import services

SEED = int(os.environ.get("RELANCE_CHAOS_SEED", "20261129"))


@pytest.fixture
def kills(tmp_path: Path) -> Iterator[Kills]:
    with services() as (emulator, s3):
        kills = Kills(tmp_path, emulator, s3)
        yield kills
        kills.close()


def check(kills: Kills, actions: Any, ways: Any, stores: Any, *, count: int) -> None:
    outcomes = [kills.run(Kill.of(number, SEED, actions, ways, stores)) for number in range(count)]
    assert not [each for each in outcomes if each.wrong]
    assert sum(each.hit for each in outcomes) > count // 3


@pytest.mark.timeout(300)
def test_a_killed_edit_is_finished_by_the_next_run(kills: Kills) -> None:
    check(kills, ["edit"], ["kill", "term"], ["folder"], count=2)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_kill_in_the_middle_of_each_action_is_healed(kills: Kills) -> None:
    check(kills, ACTIONS, ["kill", "term"], STORES, count=len(ACTIONS))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_what_a_loss_of_power_tore_is_healed(kills: Kills) -> None:
    check(kills, ["edit", "maintain"], ["loss"], ["folder"], count=6)
