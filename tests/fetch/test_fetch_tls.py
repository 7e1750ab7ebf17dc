"""Encrypted fetches: the certificate is checked by name, and no redirect leads out of encryption."""

import asyncio
import ssl

import pytest
from certificates import make_authority
from media_servers import PICTURE, fetching, reply, serving

from relance.errors import InputError
from relance.fetch import UnsafeURLError


@pytest.fixture(scope="module")
def authority():
    return make_authority()


@pytest.fixture
def trusted(authority):
    """The certificates a fetcher trusts: those that the test's authority has signed."""
    context = ssl.create_default_context(cadata=authority[0].decode())
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # the test's certificates are minimal
    return context


@pytest.fixture
def tls(authority, tmp_path):
    """Make a server's TLS context for a name, signed by the test's authority."""
    certify = authority[1]

    def make(name, asked=None):
        file = tmp_path / f"{name}.pem"
        file.write_bytes(b"".join(certify(name)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        if asked is not None:
            context.sni_callback = lambda _, name, __: asked.append(name)
        return context

    return make


def test_encryption_is_by_name_although_the_connection_goes_to_an_address(tls, trusted):
    async def main():
        asked = []
        async with (
            serving({"/a": reply(body=PICTURE)}, tls("media.example", asked)) as server,
            fetching(trusted) as fetcher,
        ):
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE
            assert asked == ["media.example"]

    asyncio.run(main())


def test_a_certificate_for_another_name_is_refused_at_once(tls, trusted):
    async def main():
        async with serving({}, tls("other.example")) as server, fetching(trusted) as fetcher:
            with pytest.raises(InputError, match="its certificate is not valid: Hostname mismatch"):
                await fetcher.fetch(f"{server.url}/a")
            assert not server.requests

    asyncio.run(main())


def test_an_unknown_authority_is_refused(authority, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "own.pem").write_bytes(b"".join(authority[1]("media.example")))
    context.load_cert_chain(tmp_path / "own.pem")

    async def main():
        async with serving({}, context) as server, fetching() as fetcher:
            with pytest.raises(InputError, match="its certificate is not valid"):
                await fetcher.fetch(f"{server.url}/a")

    asyncio.run(main())


def test_a_redirect_may_change_host_and_gain_encryption_but_not_lose_it(tls, trusted):
    async def main():
        secure_routes = {"/down": reply(302, location="http://media.example:1/x"), "/a": reply(body=PICTURE)}
        plain_routes = {}
        async with (
            serving(secure_routes, tls("media.example")) as secure,
            serving(plain_routes) as plain,
            fetching(trusted) as fetcher,
        ):
            plain_routes["/up"] = reply(302, location=f"{secure.url}/a")
            assert (await fetcher.fetch(f"{plain.url.replace('media', 'cdn')}/up")).url == f"{secure.url}/a"
            with pytest.raises(UnsafeURLError, match="no longer encrypted"):
                await fetcher.fetch(f"{secure.url}/down")

    asyncio.run(main())
