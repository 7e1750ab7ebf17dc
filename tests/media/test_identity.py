"""Which addresses are one picture."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.config.media import AddressRule
from relance.media.identity import Identity, expiry

PLAIN = Identity()


@pytest.mark.parametrize(
    ("signed", "bare"),
    [
        (("https://b.s3.amazonaws.com/a%20b.png?versionId=7&X-Amz-Algorithm=AWS4&X-Amz-Credential=A%2F2026&X-Amz-Date="
         "20261130T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"),
         "https://b.s3.amazonaws.com/a%20b.png?versionId=7"),
        ("https://b.s3.amazonaws.com/a.png?AWSAccessKeyId=A&Signature=b%3D&Expires=1796000000",
         "https://b.s3.amazonaws.com/a.png"),
        (("https://b.oss-cn-beijing.aliyuncs.com/a.jpg?x-oss-process=image/resize,w_9&OSSAccessKeyId=A&Expires=1&"
         "Signature=b"), "https://b.oss-cn-beijing.aliyuncs.com/a.jpg?x-oss-process=image/resize,w_9"),
        (("https://b.oss-cn-beijing.aliyuncs.com/a.jpg?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=A&"
         "x-oss-date=20261130T000000Z&x-oss-expires=60&x-oss-signature=00&x-oss-process=style/s"),
         "https://b.oss-cn-beijing.aliyuncs.com/a.jpg?x-oss-process=style/s"),
        (("https://storage.googleapis.com/b/a.png?X-Goog-Algorithm=G&X-Goog-Credential=c&X-Goog-Date=d&X-Goog-Expires=9"
         "&X-Goog-SignedHeaders=host&X-Goog-Signature=00&generation=3"),
         "https://storage.googleapis.com/b/a.png?generation=3"),
        ("https://x.blob.core.windows.net/c/a.png?sv=2024-11-04&se=2026-12-01T00%3A00%3A00Z&sr=b&sp=r&sig=a%2B&snapshot=4",
         "https://x.blob.core.windows.net/c/a.png?snapshot=4"),
        ("https://d1.cloudfront.net/a.jpg?w=9&Expires=1&Signature=s&Key-Pair-Id=K", "https://d1.cloudfront.net/a.jpg?w=9"),
        ("https://d1.cloudfront.net/a.jpg?Policy=p&Signature=s&Key-Pair-Id=K", "https://d1.cloudfront.net/a.jpg"),
        ("https://res.cloudinary.com/demo/image/upload/s--aB3_x-9z--/w_9/a.jpg",
         "https://res.cloudinary.com/demo/image/upload/w_9/a.jpg"),
        ("https://v.example/a.jpg?__token__=exp=1796000000~acl=/*~hmac=0123456789abcdef0123&w=9",
         "https://v.example/a.jpg?w=9"),
        ("https://v.example/a.jpg?hdnts=exp%3D1796000000~hmac%3D00", "https://v.example/a.jpg"),
        (("https://c-1.cos.ap-x.myqcloud.com/a.png?q-sign-algorithm=sha1&q-ak=a&q-sign-time=1;2&q-key-time=1;2&q-header-list="
         "&q-url-param-list=&q-signature=00"), "https://c-1.cos.ap-x.myqcloud.com/a.png"),
        ("https://cdn.discordapp.com/attachments/1/2/a.png?ex=6&is=7&hm=8&width=9",
         "https://cdn.discordapp.com/attachments/1/2/a.png?width=9"),
    ],
)  # fmt: skip
def test_what_signs_an_address_is_no_part_of_its_identity(signed: str, bare: str) -> None:
    assert PLAIN(signed) == bare
    assert PLAIN(bare) == bare
    assert PLAIN.is_signed(signed)


@pytest.mark.parametrize(
    "address",
    [
        "https://x.example/a.jpg?w=100&token=7", "https://x.example/a.jpg?expires=never&id=3", "https://x.example/a?",
        "https://x.example/a?sig=3", "https://x.example/a.jpg?Signature=s", "https://x.example/a?e=1&token=2",
        "pics/s--abcdefgh--/a.png", "data:image/png;base64,AA==", "https://[::1/a?X-Amz-Signature=1", "s3://b/a?sig=1&sv=2",
        "https://x.example/s--not a token--/a.png",
    ],
)  # fmt: skip
def test_other_addresses_are_their_own_identity(address: str) -> None:
    assert PLAIN(address) == address


@given(st.text("ab=&?#/%-.X", max_size=40))
def test_an_identity_is_its_own(path: str) -> None:
    once = PLAIN(f"https://x.example/{path}&X-Amz-Signature=1&X-Amz-Date=2")
    assert PLAIN(once) == once


def test_a_rule_of_the_spec_is_for_its_hosts_and_travels_to_other_processes() -> None:
    rules = [AddressRule(host="*.shop.example", ignore=["X-Sig", "tok-*"], path="/t-[0-9a-f]+(?=/)")]
    identity = pickle.loads(pickle.dumps(Identity(rules)))
    assert identity("https://i.shop.example/t-0f/a.jpg?x-sig=1&TOK-b=2&w=3") == "https://i.shop.example/a.jpg?w=3"
    assert identity("https://shop.example/t-0f/a.jpg?X-Sig=1") == "https://shop.example/t-0f/a.jpg?X-Sig=1"


@pytest.mark.parametrize(
    ("address", "ends"),
    [
        ("https://x/a?X-Amz-Date=20261130T000000Z&X-Amz-Expires=3600&X-Amz-Signature=0", "2026-11-30T01:00:00"),
        ("https://x/a?Signature=0&Expires=1796000000", "2026-11-30T00:53:20"),
        ("https://x/a?sv=1&sig=0&se=2026-12-01T00%3A00%3A00Z", "2026-12-01T00:00:00"),
        ("https://x/a?t=exp=1796000000~hmac=0123456789abcdef", "2026-11-30T00:53:20"),
        ("https://x/a?X-Amz-Date=yesterday&X-Amz-Expires=1", None),
        ("https://x/a?Expires=1796000000", None),
        ("https://x/a", None),
    ],
)  # fmt: skip
def test_an_address_says_until_when_it_is_good(address: str, ends: str | None) -> None:
    assert expiry(address) == (datetime.fromisoformat(ends).replace(tzinfo=UTC) if ends else None)
