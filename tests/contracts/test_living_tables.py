"""What every kind of source promises while its place lives: tables of databases and lakes; see `worlds.living`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from worlds import (
    DeltaWorld,
    DuckdbWorld,
    IcebergWorld,
    LanceWorld,
    MariadbWorld,
    ParquetWorld,
    PostgresWorld,
    SqliteWorld,
    World,
)
from worlds.living import LivingSource, living

DATABASES = [PostgresWorld, MariadbWorld, SqliteWorld, DuckdbWorld]
LAKES = [ParquetWorld, DeltaWorld, IcebergWorld, LanceWorld]


@pytest.fixture(params=[*DATABASES, *LAKES], ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from living(request)


class TestLivingTables(LivingSource):
    """All of them."""
