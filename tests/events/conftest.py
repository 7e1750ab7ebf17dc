"""The receiver that is tested, listening on a port of this machine."""

import pytest
from receivers import Receiver

from relance.events.connection import ConnectionLimits
from relance.events.serve import running_receiver


@pytest.fixture
def desk(tmp_path):
    """A receiver of its own for each test."""
    desk = Receiver(tmp_path / "store")
    with running_receiver(desk.app(), limits=ConnectionLimits(head_s=0.5)) as desk.url, desk.client:
        yield desk
