"""The receiver that is tested, listening on a port of this machine."""

import pytest
from receivers import Receiver

from relance.events.serve import running_receiver


@pytest.fixture
def desk():
    """A receiver of its own for each test."""
    desk = Receiver()
    with running_receiver(desk.app(), head_s=0.5) as desk.url, desk.client:
        yield desk
