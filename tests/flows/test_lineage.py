"""The places of sources as Prefect's assets, whose names may have few characters."""

from __future__ import annotations

import pytest

from relance_tasks.lineage import asset_of


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("docs", "file://docs"),
        ("s3://wiki/pages of ours", "s3://wiki/pages-of-ours"),
        ("git+https://github.com/org/repo@next", "git://github.com/org/repo-next"),
        ("git+ssh://github.com/org/repo", "git://github.com/org/repo"),
        ("postgresql://db.example.com/shop", "postgresql://db.example.com/shop"),
        ("https://example.com/" + "long/" * 200, "https://example.com/" + ("long/" * 200)[:492]),
    ],
)
def test_every_place_has_a_name_that_prefect_takes(place: str, key: str) -> None:
    assert asset_of(place).key == key
