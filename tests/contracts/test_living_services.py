"""What every kind of source promises while its place lives: repositories, mails and services; see `worlds.living`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from worlds import (
    GoogleDriveWorld,
    ImapWorld,
    MaildirWorld,
    RepositoryWorld,
    SharePointWorld,
    WebdavWorld,
    WikiWorld,
    World,
)
from worlds.living import LivingSource, living

KINDS = [RepositoryWorld, MaildirWorld, ImapWorld, WebdavWorld, WikiWorld, GoogleDriveWorld, SharePointWorld]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from living(request)


class TestLivingServices(LivingSource):
    """All of them."""
