"""What every kind of source promises while its place lives: places of files and pages; see `worlds.living`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from worlds import BucketWorld, ShelfWorld, SiteWorld, TreeWorld, World
from worlds.living import LivingSource, living


@pytest.fixture(params=[TreeWorld, ShelfWorld, BucketWorld, SiteWorld], ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from living(request)


class TestLivingPlaces(LivingSource):
    """All of them."""
