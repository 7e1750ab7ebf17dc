"""Bodies of a fetch: bounded in size, and unpacked within that bound."""

import asyncio
import gzip
import random
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_servers import PICTURE, get, reply

from relance.errors import RetryableError
from relance.fetch import RefusedBodyError
from relance.fetch.body import read_body


@pytest.mark.parametrize("framing", ["declared", "chunked", "until closed"])
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_is_refused(framing):
    def framed(body):
        if framing == "declared":
            return reply(body=body)
        if framing == "chunked":
            chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            return reply(body=chunks, content_length=None, transfer_encoding="chunked")

        async def until_closed(headers, writer):
            writer.write(reply(body=body, content_length=None))
            await writer.drain()

        return until_closed

    policy = {"max_bytes": 1000}
    assert get({"/a": framed(b"x" * 1000)}, policy=policy)[1].size == 1000
    server, got = get({"/a": framed(b"x" * 1001)}, policy=policy)
    assert type(got) is RefusedBodyError
    assert "more than the limit of 1000B" in str(got)
    assert len(server.requests) == 1
    assert get({"/a": framed(b"x" * 1001)}, policy=policy, max_bytes=1001)[1].size == 1001


def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes():
    async def slow(headers, writer):
        writer.write(reply(content_length=1001))
        await writer.drain()
        await asyncio.sleep(60)

    started = time.monotonic()
    _, got = get({"/a": slow}, policy={"max_bytes": 1000})
    assert type(got) is RefusedBodyError
    assert time.monotonic() - started < 5


def test_an_endless_body_is_cut_off_at_the_limit():
    sent = 0

    async def endless(headers, writer):
        nonlocal sent
        writer.write(reply(content_length=None))
        while True:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    _, got = get({"/a": endless}, policy={"max_bytes": 1 << 20})
    assert type(got) is RefusedBodyError
    assert sent < 32 << 20  # what fits into socket buffers


def bomb(size):
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)] + [packer.flush()])


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_a_decompression_bomb_is_defused_within_a_mebibyte(encoding):
    packed = bomb(128 << 20)
    packed = zlib.compress(bytes(128 << 20), 9) if encoding == "deflate" else packed
    assert len(packed) < 1 << 18
    tracemalloc.start()
    try:
        _, got = get({"/a": reply(body=packed, content_encoding=encoding)})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(got) is RefusedBodyError
    assert "more than the limit of 1.0MiB once unpacked" in str(got)
    assert peak < 8 << 20


def test_a_stream_that_unpacks_to_nothing_counts_as_sent():
    empty = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    blocks = empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH) + b"\x00\x00\x00\xff\xff" * 1000
    _, got = get({"/a": reply(body=blocks, content_length=None, content_encoding="gzip")}, policy={"max_bytes": 1000})
    assert type(got) is RefusedBodyError
    assert str(got).endswith("it is more than the limit of 1000B.")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PICTURE)),
        ("GZIP", gzip.compress(PICTURE[:5000]) + gzip.compress(PICTURE[5000:])),
        ("deflate", zlib.compress(PICTURE)),
        ("deflate", zlib.compress(PICTURE)[2:-4]),
        ("identity", PICTURE),
        ("gzip", b""),
    ],
)
def test_a_body_compressed_unasked_is_unpacked(encoding, packed):
    _, got = get({"/a": reply(body=packed, content_encoding=encoding)})
    assert got.data == (PICTURE if packed else b"")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "nonsense"])
def test_a_compression_we_did_not_ask_for_and_cannot_bound_is_refused(encoding):
    server, got = get({"/a": reply(body=PICTURE, content_encoding=encoding)})
    assert type(got) is RefusedBodyError
    assert f"compressed by '{encoding}', which was not requested" in str(got)
    assert len(server.requests) == 1


def test_a_broken_compression_is_the_documents_fault_and_a_short_one_the_connections():
    packed = gzip.compress(random.Random(0).randbytes(5000))
    _, got = get({"/a": reply(body=b"not gzip at all", content_encoding="gzip")})
    assert (type(got), "its compression is broken" in str(got)) == (RefusedBodyError, True)
    server, got = get({"/a": reply(body=packed[:3000], content_encoding="gzip")})
    assert (type(got), "cut short" in str(got)) == (RetryableError, True)
    assert len(server.requests) == 3


@settings(deadline=None)
@given(st.binary(max_size=5000), st.lists(st.integers(1, 700), min_size=1), st.sampled_from(["gzip", "deflate"]))
def test_unpacking_does_not_depend_on_how_the_network_cuts_a_body(data, cuts, encoding):
    packed = gzip.compress(data) if encoding == "gzip" else zlib.compress(data)

    async def parts():
        rest, n = packed, 0
        while rest:
            cut = cuts[n % len(cuts)]
            yield rest[:cut]
            rest, n = rest[cut:], n + 1

    limit = max(len(data), len(packed))
    assert asyncio.run(read_body(parts(), {"content-encoding": encoding}, limit)) == data
