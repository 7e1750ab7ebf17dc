"""The journal of the embedding cache: seen by all at once, folded in time, and no reason for a run to fail."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buyer import DIMENSION, key, open_cache, put, vector

from relance.store import Store
from relance.store.cache_spaces import describe, prune
from relance.store.embeddings import EmbeddingStore
from relance.store.key_set import KeySet
from relance.store.local_folder import local_folders


def connect(folder: Path) -> Store:
    return Store(str(folder), storage_options={}, api_key="")


def table(folder: Path) -> Any:
    return connect(folder).open("relance__vectors__space")


def files(folder: Path) -> list[Path]:
    return sorted((folder / ".relance" / "vectors" / "space").glob("*.vectors"))


def names(*span: int) -> list[str]:
    return [key(number) for number in range(*span)]


def test_an_open_cache_sees_what_others_put_fold_and_rewrite(tmp_path: Path) -> None:
    reader, writer = open_cache(tmp_path), open_cache(tmp_path)
    for start in range(0, 50, 10):
        assert not reader.contains(names(start, start + 10)).any()
        put(writer, list(range(start, start + 10)))
        assert reader.contains(names(start + 10)).all(), "in the journal"
        if start % 20:
            writer.flush()
            assert not files(tmp_path)
            assert reader.contains(names(start + 10)).all(), "in the table"
        if start == 30:
            table(tmp_path).optimize()
            assert reader.contains(names(start + 10)).all()
            assert not reader.contains(names(start + 10, start + 20)).any()
    found = reader.get(names(50))
    np.testing.assert_array_equal(np.stack([found[each][0] for each in names(50)]), [vector(n) for n in range(50)])
    writer.close()


def test_a_run_that_buys_little_commits_nothing_and_the_next_large_one_does(tmp_path: Path) -> None:
    for number in range(3):
        cache = open_cache(tmp_path)
        put(cache, [number])
        cache.close()
    assert table(tmp_path) is None
    assert len(files(tmp_path)) == 3
    assert [(each.space, each.vectors) for each in describe(connect(tmp_path))] == [("space", 3)]
    cache = open_cache(tmp_path)
    assert cache.contains(names(3)).all()
    for start in range(100, 5100, 1000):
        put(cache, list(range(start, start + 1000)))
    cache.close()
    assert table(tmp_path).count_rows() == 5003
    assert not files(tmp_path)
    assert [each.vectors for each in describe(connect(tmp_path))] == [5003]


def test_many_small_runs_are_committed_in_one_go(tmp_path: Path) -> None:
    for number in range(34):
        cache = open_cache(tmp_path)
        put(cache, [number])
        cache.close()
    assert len(files(tmp_path)) < 5
    assert len(table(tmp_path).list_versions()) == 2
    assert open_cache(tmp_path).get(names(34)).keys() == set(names(34))


def test_pruning_counts_and_drops_what_is_in_the_journal(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    put(cache, list(range(10)))
    cache.close()
    store = connect(tmp_path)
    assert prune(store, max_bytes=10 * (4 * DIMENSION + 48)) == {}
    assert prune(store, max_bytes=0) == {"relance__vectors__space": 10}
    assert not open_cache(tmp_path).contains(names(10)).any()


def test_the_store_is_little_larger_than_its_vectors_after_many_commits(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, fold_bytes=100_000)
    for start in range(0, 20_000, 100):
        put(cache, list(range(start, start + 100)))
        cache.drain()
    cache.flush()  # `close` leaves what is not worth a commit in the journal
    cache.close()
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert taken < 1.3 * 20_000 * (4 * DIMENSION + 32 + 8)
    assert table(tmp_path).stats()["fragment_stats"]["num_fragments"] <= 128
    assert table(tmp_path).count_rows() == 20_000


def test_a_vector_that_a_kill_has_cut_off_is_not_there_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    put(cache, [0, 1])
    put(cache, [2, 3])
    cache.close()
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    cache = open_cache(tmp_path)
    assert cache.contains(names(4)).tolist() == [True, True, False, False]
    assert cache.claim(names(4)) == names(2, 4)
    put(cache, [2, 3])
    cache.flush()
    cache.close()
    assert table(tmp_path).count_rows() == 4
    assert not caplog.records


def test_a_damaged_journal_gives_what_is_whole_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = open_cache(tmp_path)
    put(cache, [0, 1])
    put(cache, [2, 3])
    cache.close()
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    cache = open_cache(tmp_path)
    assert cache.contains(names(4)).tolist() == [True, True, False, False]
    assert caplog.text.count("is damaged") == 1
    put(cache, [2, 3])
    cache.flush()
    cache.close()
    assert not files(tmp_path)
    found = open_cache(tmp_path).get(names(4))
    np.testing.assert_array_equal(np.stack([found[each][0] for each in names(4)]), [vector(n) for n in range(4)])


def test_without_a_folder_for_the_journal_vectors_go_to_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".relance").write_text("in the way")
    cache = open_cache(tmp_path)
    assert cache.claim(names(4)) == names(4)
    put(cache, [0, 1, 2])
    assert cache.get(names(4)).keys() == set(names(3))
    deadline = time.monotonic() + 30
    while table(tmp_path) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cache.close()
    assert caplog.text.count("a kill may lose the last ones") == 1
    assert open_cache(tmp_path).contains(names(4)).tolist() == [True, True, True, False]


def test_without_a_home_the_journal_of_an_object_store_is_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("read-only")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache = EmbeddingStore(Store("memory://", storage_options={}, api_key=""), "space", DIMENSION)
    put(cache, [0, 1])
    assert len(list(tmp_path.rglob("*.vectors"))) == 1
    cache.close()
    assert not list(tmp_path.rglob("*.vectors")), "what is for other machines, too, is in the table"
    assert cache.contains(names(2)).all()
    assert not caplog.records


@pytest.mark.parametrize(("kind", "local"), [("ext4", True), ("nfs4", False), ("fuse.sshfs", False), ("cifs", False)])
def test_a_store_on_a_network_disk_has_its_journal_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, local: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mounts, shared = tmp_path / "mounts", tmp_path.resolve() / "shared"
    mounts.write_text(f"1 0 8:1 / / rw - btrfs /dev/a rw\n2 1 0:9 / {shared} rw shared:1 - {kind} host:/x rw\n")
    first = next(local_folders(connect(shared / "db"), "vectors", mounts=mounts))
    assert first.is_relative_to(shared) == local
    assert first.is_relative_to(tmp_path / "state") != local


FULL = """
import logging, resource, signal, sys
sys.path.insert(0, sys.argv[2])
from buyer import DIMENSION, key, put
from relance.store import Store
from relance.store.embeddings import EmbeddingStore
logging.basicConfig(format="%(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = EmbeddingStore(Store("memory://", storage_options={}, api_key=""), "space", DIMENSION)
put(cache, list(range(10)))
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
for start in range(10, 100, 10):
    put(cache, list(range(start, start + 10)))
assert cache.contains([key(number) for number in range(100)]).all()
cache.close()
assert len(cache.get([key(number) for number in range(100)])) == 100
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_costs_a_warning_where_the_store_is_elsewhere(tmp_path: Path) -> None:
    import buyer

    command = [sys.executable, "-c", FULL, "", str(Path(buyer.__file__).parent)]
    # Python writes half a file of bytecode under that limit, and trips over it ever after.
    environment = {"XDG_STATE_HOME": str(tmp_path), "PATH": "", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "a kill may lose the last ones" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_found_however_they_were_added() -> None:
    rng, keys, added = np.random.default_rng(7), KeySet(), []
    for count in (0, 1, 5000, 3, 700, 20_000, 1):
        part = rng.integers(0, 2**64, count, dtype=np.uint64)
        keys.add(np.concatenate([part, part[:1]]))
        added += part.tolist()
        assert keys.contains(np.array(added, np.uint64)).all()
    assert not keys.contains(rng.integers(0, 2**64, 5000, dtype=np.uint64)).any()
    assert keys.contains(np.array([0, added[0]], np.uint64)).tolist() == [False, True]
