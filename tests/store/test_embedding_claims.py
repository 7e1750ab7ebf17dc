"""Claims: each missing vector is bought by one caller, and what its buyer does not deliver is bought by another."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from buyer import DIMENSION, key, open_cache, put

from relance.store import Store
from relance.store.embeddings import EmbeddingStore

NAMES = [key(number) for number in range(10)]


def test_a_key_is_given_to_one_caller_until_it_is_released(tmp_path: Path) -> None:
    one, other = open_cache(tmp_path), open_cache(tmp_path)
    assert one.claim([*NAMES[:6], *NAMES[:2]]) == NAMES[:6]
    assert one.claim(NAMES[:6]) == [], "another batch of the same process is another buyer"
    assert other.claim(NAMES) == NAMES[6:]
    other.release(NAMES[:6])
    assert other.claim(NAMES) == [], "nobody ends the claims of others"
    one.release(NAMES[:3])
    assert other.claim(NAMES) == NAMES[:3]
    one.close()
    assert other.claim(NAMES) == NAMES[3:6], "claims end with their owner"
    other.close()


def test_what_has_a_vector_is_not_claimed_whoever_bought_it(tmp_path: Path) -> None:
    one, other = open_cache(tmp_path), open_cache(tmp_path)
    one.claim(NAMES)
    put(one, list(range(5)))
    one.release(NAMES)
    assert other.claim(NAMES) == NAMES[5:]
    put(one, [5])
    one.flush()
    assert open_cache(tmp_path).claim(NAMES) == []
    other.close()
    assert one.claim(NAMES) == NAMES[6:]
    one.close()


def test_waiting_ends_when_the_vector_is_there_or_the_claim_is_not(tmp_path: Path) -> None:
    buyer, waiter = open_cache(tmp_path), open_cache(tmp_path, poll_s=0.01)
    buyer.claim(NAMES)
    lapsed: list[str] = []
    thread = threading.Thread(target=lambda: lapsed.extend(waiter.wait(NAMES)))
    thread.start()
    put(buyer, list(range(8)))
    time.sleep(0.1)
    assert thread.is_alive(), "two are still being bought"
    buyer.release(NAMES[8:])
    thread.join(30)
    assert lapsed == NAMES[8:]
    assert waiter.get(NAMES).keys() == set(NAMES[:8])
    assert waiter.wait([]) == []
    buyer.close()
    waiter.close()


def test_waiting_ends_after_its_time_or_when_stopped(tmp_path: Path) -> None:
    buyer, waiter = open_cache(tmp_path), open_cache(tmp_path)
    buyer.claim(NAMES)
    assert waiter.wait(NAMES, timeout_s=0.05) == NAMES
    assert waiter.wait(NAMES, stop=lambda: True) == NAMES
    buyer.close()
    waiter.close()


def test_threads_that_need_the_same_vectors_buy_each_once(tmp_path: Path) -> None:
    caches, bought = [open_cache(tmp_path, poll_s=0.005) for _ in range(2)], Counter[int]()
    names = {key(number): number for number in range(300)}

    def work(part: int) -> None:
        cache = caches[part % 2]
        left = list(names)[part * 20 :] + list(names)[: part * 20]
        while left:
            mine = cache.claim(left[:50])
            bought.update(names[each] for each in mine)
            if mine:
                put(cache, [names[each] for each in mine])
            lapsed = cache.wait(left[:50], timeout_s=30)
            left = lapsed + left[50:]

    threads = [threading.Thread(target=work, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bought == Counter(range(300))
    for cache in caches:
        cache.close()


def test_a_damaged_file_of_claims_is_begun_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / ".relance" / "vectors" / "space"
    folder.mkdir(parents=True)
    (folder / "claims.db").write_bytes(b"no database " * 1000)
    one, other = open_cache(tmp_path), open_cache(tmp_path)
    assert one.claim(NAMES) == NAMES
    assert "claims.db is damaged" in caplog.text
    assert other.claim(NAMES) == []
    one.close()
    other.close()


def test_where_claims_cannot_be_shared_they_hold_within_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / ".relance" / "vectors" / "space"
    (folder / "claims.db").mkdir(parents=True)
    cache = open_cache(tmp_path)
    assert cache.claim(NAMES) == NAMES
    assert cache.claim(NAMES) == []
    assert caplog.text.count("may each buy them") == 1
    put(cache, list(range(10)))
    cache.close()
    assert len(open_cache(tmp_path).get(NAMES)) == 10


def test_indexes_on_an_object_store_share_claims_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    stores = [Store("memory://", storage_options={}, api_key="") for _ in range(2)]
    one, other = (EmbeddingStore(store, "space", DIMENSION, fold_s=600) for store in stores)
    assert one.claim(NAMES) == NAMES
    assert other.claim(NAMES) == []
    put(one, list(range(10)))
    assert other.wait(NAMES, timeout_s=30) == []
    assert other.get(NAMES).keys() == set(NAMES), "from the journal: they are in no table yet"
    one.close()
    other.close()
