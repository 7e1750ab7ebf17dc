"""What waits to be looked at, decoded and sent is bounded, whatever a catalogue shows."""

from __future__ import annotations

import asyncio
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_rows import media_rows
from PIL import Image

from relance.documents import Media
from relance.http.byte_gate import ByteGate
from relance.media.pixel_gate import PixelGate
from relance.media.spill import Spill, forget


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 150), max_size=20))
def test_tasks_hold_no_more_than_the_limit_but_for_what_one_alone_has(sizes: list[int]) -> None:
    async def run() -> int:
        gate = ByteGate(100)

        async def work(size: int) -> None:
            async with gate.hold(size) as held:
                assert gate.held <= max(100, size)
                await asyncio.sleep(0)
                held.resize(size // 2)
                await asyncio.sleep(0)

        await asyncio.wait_for(asyncio.gather(*map(work, sizes)), 5)
        return gate.held

    assert asyncio.run(run()) == 0


def test_what_turns_out_larger_is_counted_and_others_wait_for_it() -> None:
    async def run() -> list[str]:
        gate, said = ByteGate(100), []

        async def second() -> None:
            async with gate.hold(10):
                said.append("second")

        async with gate.hold(10) as held:
            held.resize(500)
            task = asyncio.create_task(second())
            await asyncio.sleep(0)
            said.append("first")
        await task
        return said

    assert asyncio.run(run()) == ["first", "second"]


def test_a_task_that_is_cancelled_while_it_waits_holds_nothing() -> None:
    async def run() -> int:
        gate = ByteGate(100)

        async def wait() -> None:
            async with gate.hold(90):
                pass

        async with gate.hold(90):
            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with gate.hold(100):
            return gate.held

    assert asyncio.run(run()) == 100


def test_threads_decode_no_more_pixels_than_the_limit_and_a_larger_picture_alone() -> None:
    gate, lock, inside, seen = PixelGate(100), threading.Lock(), [], []

    def decode(pixels: int) -> None:
        with gate.decoding(pixels):
            with lock:
                inside.append(pixels)
                seen.append(list(inside))
            threading.Event().wait(0.002)
            with lock:
                inside.remove(pixels)

    threads = [threading.Thread(target=decode, args=(pixels,)) for pixels in (60, 30, 30, 250, 60, 50, 10, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(seen) == len(threads)
    assert all(sum(each) <= 100 or len(each) == 1 for each in seen)


def test_pictures_that_wait_are_files_that_are_read_when_they_are_sent(tmp_path: Path) -> None:
    spill = Spill(lambda: tmp_path)
    assert (spill.takes(1000), spill.takes(1 << 20)) == (False, True)
    paths = (spill.keep(b"one"), spill.keep(b"two"))
    assert Media("images", data=(b"none",), files=paths).contents() == [b"none", b"one", b"two"]
    forget(paths)
    forget(paths)
    assert list(tmp_path.iterdir()) == []


def noise(seed: int, side: int = 160) -> bytes:
    """Draw what no format makes small: 77 kB."""
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.long
@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_what_waited_in_files_is_embedded_and_nothing_of_it_is_left(gallery: Any, engine: str) -> None:
    for n in range(3):
        gallery.write(f"pics/{n}.png", noise(n))
    gallery.write("pics/again.png", noise(0))
    index = gallery.index(engine={"name": engine, "workers": 1})
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (4, 3, 0)
    rows = media_rows(index)
    assert rows["pics/again.png"]["vector"] == rows["pics/0.png"]["vector"]
    assert not list((gallery.folder / "db").rglob("*.picture"))


def test_a_budget_looks_first_and_sends_what_it_saw(gallery: Any) -> None:
    for n in range(3):
        gallery.write(f"pics/{n}.png", noise(n))
    index = gallery.index(limits={"max_cost_usd": 100})
    report = index.ingest().media
    assert (report.added, report.failed) == (3, 0)


def test_a_small_buffer_lets_everything_through_one_after_the_other(gallery: Any, web: Any) -> None:
    urls = [web.put(f"/{n}.png", noise(n, side=700)) for n in range(4)]
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in enumerate(urls)))
    report = gallery.index(media=gallery.media(buffer="1MiB")).ingest().media
    assert (report.added, report.failed) == (4, 0)
