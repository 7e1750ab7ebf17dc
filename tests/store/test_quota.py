"""What is left of a free quota: counted in the store, per model and region, from the day the spec names it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from relance.embedding.providers import ModelInfo
from relance.errors import RetryableError
from relance.store import Store
from relance.store.catalog import Catalog
from relance.store.quota import FreeQuota

INFO = ModelInfo("test/model", 4, region="singapore")


def connect(folder: Path) -> Catalog:
    """Open the catalog as another process would."""
    return Catalog(Store(str(folder / "db"), storage_options={}, api_key=""))


def test_what_was_used_is_no_longer_left_in_this_run_or_the_next(tmp_path: Path) -> None:
    quota = FreeQuota(connect(tmp_path), INFO, 1000)
    assert quota.left() == 1000
    quota.use(300)
    quota.use(0)
    assert quota.left() == 700
    again = FreeQuota(connect(tmp_path), INFO, 1000)
    again.use(600)
    assert quota.left() == again.left() == 100


def test_more_than_all_leaves_nothing(tmp_path: Path) -> None:
    quota = FreeQuota(connect(tmp_path), INFO, 1000)
    quota.use(5000)
    assert quota.left() == 0


def test_without_a_quota_nothing_is_free_counted_or_written(tmp_path: Path) -> None:
    quota = FreeQuota(connect(tmp_path), INFO, 0)
    quota.use(300)
    assert quota.left() == 0
    assert not (tmp_path / "db").exists()


def test_models_and_regions_have_quotas_of_their_own(tmp_path: Path) -> None:
    infos = [INFO, ModelInfo("test/model", 4, region="beijing"), ModelInfo("test/other", 4, region="singapore")]
    quotas = [FreeQuota(connect(tmp_path), info, 1000) for info in infos]
    for used, quota in enumerate(quotas, start=1):
        quota.use(used)
    assert [quota.left() for quota in quotas] == [999, 998, 997]


def test_another_number_in_the_spec_starts_the_count_anew(tmp_path: Path) -> None:
    FreeQuota(connect(tmp_path), INFO, 1000).use(900)
    changed = FreeQuota(connect(tmp_path), INFO, 500)
    assert changed.left() == 500
    changed.use(100)
    assert changed.left() == 400


def test_runs_that_use_as_many_tokens_at_the_same_moment_are_both_counted(tmp_path: Path) -> None:
    """Both read the same count and would write the same one; only one of the two may take the other's for its own."""
    first, second = (FreeQuota(connect(tmp_path), INFO, 1000) for _ in range(2))
    first.use(10)
    catalog = second._catalog
    real, between = catalog.get, []

    def get(key: str) -> object:
        value = real(key)
        if not between:
            between.append(True)
            first.use(100)
        return value

    catalog.get = get  # ty: ignore[invalid-assignment]  # another run gets in between
    second.use(100)
    assert first.left() == 1000 - 210


def test_many_runs_at_once_count_nearly_everything_and_never_too_much(tmp_path: Path) -> None:
    """Who meets others five times in a row gives up, for no run fails over the count."""
    FreeQuota(connect(tmp_path), INFO, 1000).use(1)
    start, errors = threading.Barrier(3), []

    def work() -> None:
        try:
            quota = FreeQuota(connect(tmp_path), INFO, 1000)
            start.wait()
            for _ in range(4):
                quota.use(10)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    used = 1000 - FreeQuota(connect(tmp_path), INFO, 1000).left()
    assert used in range(91, 122, 10)


def test_a_count_that_cannot_be_written_for_others_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = FreeQuota(connect(tmp_path), INFO, 1000)
    tries = []

    def taken(*_: object, **__: object) -> None:
        tries.append(1)
        raise RetryableError("changed by another process at the same moment")

    monkeypatch.setattr(Catalog, "put", taken)
    quota.use(300)
    assert len(tries) == 5
    assert quota.left() == 1000
