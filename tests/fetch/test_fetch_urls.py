"""Which addresses are fetched and which are not; nothing refused is ever connected to."""

import asyncio
import re

import pytest
from inward_services import Inward, fetch

from relance.fetch import FetchPolicy, UnsafeURLError

# {port} is where an inward service listens, on 127.0.0.1 and ::1.
HOSTILE = r"""
http://127.0.0.1:{port}/
http://127.0.0.1.:{port}/
http://127.1:{port}/
http://127.0.1:{port}/
http://127.255.255.254:{port}/
http://2130706433:{port}/
http://0x7f000001:{port}/
http://0X7F.0.0.1:{port}/
http://0x7f.1:{port}/
http://017700000001:{port}/
http://0177.0.0.1:{port}/
http://0177.0.0x1:{port}/
http://127.0.0.01:{port}/
http://00000127.0.0.1:{port}/
http://0x:{port}/
http://0:{port}/
http://0.0.0.0:{port}/
http://256.0.0.1:{port}/
http://127.0.0.1.1:{port}/
http://%31%32%37.0.0.1:{port}/
http://127%2e0%2e0%2e1:{port}/
http://１２７.０.０.１:{port}/
http://127。0。0。1:{port}/
http://127．0．0．1:{port}/
http://①②⑦.⓪.⓪.①:{port}/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/
http://ｌｏｃａｌｈｏｓｔ:{port}/
http://localhost:{port}/
http://LOCALHOST:{port}/
http://localhost.:{port}/
http://www.localhost:{port}/
http://[::1]:{port}/
http://[0:0:0:0:0:0:0:1]:{port}/
http://[::]:{port}/
http://[::127.0.0.1]:{port}/
http://[::ffff:127.0.0.1]:{port}/
http://[::ffff:7f00:1]:{port}/
http://[0:0:0:0:0:FFFF:127.0.0.1]:{port}/
http://[::ffff:0:127.0.0.1]:{port}/
http://[64:ff9b::127.0.0.1]:{port}/
http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::7f00:1]:{port}/
http://[2002:7f00:1::]:{port}/
http://[2001:0:7f00:1::1]:{port}/
http://[::1%25lo]:{port}/
http://[::1%lo]:{port}/
http://[fe80::1%25eth0]/
http://[fe80::1]/
http://[fec0::1]/
http://[fd00:ec2::254]/latest/meta-data/
http://[fc00::1]/
http://[ff02::1]/
http://[2001:db8::1]/
http://[127.0.0.1]:{port}/
http://[::1:{port}/
http://[::1].example:{port}/
http://[v1.127.0.0.1]:{port}/
http://169.254.169.254/latest/meta-data/
http://169.254.170.2/v2/credentials
http://100.100.100.200/latest/meta-data/
http://168.63.129.16/machine
http://192.0.0.192/opc/v2/
http://10.0.0.1/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.1.1/
http://100.64.0.1/
http://198.18.0.1/
http://192.0.2.1/
http://192.88.99.1/
http://224.0.0.1/
http://255.255.255.255/
http://240.0.0.1/
http://user@127.0.0.1:{port}/
http://public.example@127.0.0.1:{port}/
http://public.example:80@127.0.0.1:{port}/
http://public.example:p@public.example/
http://127.0.0.1:{port}@public.example/
http://:@127.0.0.1:{port}/
http://@127.0.0.1:{port}/
http://public.example%40127.0.0.1:{port}/
http://public.example\@127.0.0.1:{port}/
http://127.0.0.1:{port}\@public.example/
http://127.0.0.1\.public.example:{port}/
http:\\127.0.0.1:{port}\
http:/127.0.0.1:{port}/
http:127.0.0.1:{port}
http:///127.0.0.1:{port}/
//127.0.0.1:{port}/
127.0.0.1:{port}
http://127.0.0.1:{port}%2f@public.example/
http://127.0.0.1:+{port}/
http://public.example:0/
http://public.example:-1/
http://public.example:65536/
http://public.example:99999999999999999999/
http://public.example:80x/
http://public..example/
http://.public.example/
http://-public.example/
http://pub lic.example/
http://public.example,127.0.0.1/
http://public.example;127.0.0.1/
http://inward.example:{port}/
http://mixed.example:{port}/
http://mixed6.example:{port}/
http://mapped.example:{port}/
http://scoped.example:{port}/
http://metadata.example/
http://strange.example/
file:///etc/passwd
file://127.0.0.1/etc/passwd
ftp://public.example/
gopher://127.0.0.1:{port}/_GET
data:text/plain,hello
javascript:alert(1)
dict://127.0.0.1:{port}/
ldap://127.0.0.1:{port}/
unix:///run/docker.sock
ws://127.0.0.1:{port}/
view-source:http://127.0.0.1:{port}/
jar:http://127.0.0.1:{port}!/
https:
http://
://public.example
public.example/picture.png
""".strip().split("\n")
HOSTILE += [
    "",
    " http://127.0.0.1:{port}/",
    "\thttp://127.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1:{port}/\r\nX-Injected: 1",
    "http://public.example/a\nb",
    "http://public.example\r\n.evil.example/",
    "http://public.example\x00.evil.example/",
    "http://public.example\u2028/",
    "http://127.0.0.1\u200b:{port}/",
    "http://local\u00adhost:{port}/",
    "http://public.example\ud800/",
    "http://public.example/\ud800",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 200 + "example/",
    "http://public.example/" + "a" * 70_000,
]


def test_every_hostile_url_is_refused_before_anything_is_connected_to(monkeypatch):
    async def main():
        async with Inward(monkeypatch) as inward:
            accepted = []
            for template in HOSTILE:
                url = template.replace("{port}", str(inward.port))
                try:
                    await fetch(url)
                except UnsafeURLError:
                    continue
                except Exception as error:
                    accepted.append((url, error))
                else:
                    accepted.append((url, "fetched"))
            assert not accepted
            assert not inward.attempted
            assert not inward.connections
            assert len(HOSTILE) == len(set(HOSTILE)) > 130

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "inward.example", "a.b.corp.example"])
def test_an_inward_host_that_is_allowed_by_name_is_fetched(monkeypatch, host):
    async def main():
        async with Inward(monkeypatch) as inward:
            port = inward.port
            allow = (f"127.0.0.1:{port}", "LocalHost", "INWARD.example.", "other.example", "*.corp.example")
            policy = FetchPolicy(max_bytes=1000, allow=allow)

            async def resolve(host, port):
                return ["127.0.0.1"]  # the system may say ::1 for localhost, on a machine without IPv6

            fetched = await fetch(f"http://{host}:{port}/", policy, resolve)
            assert fetched.data == b"secret"
            assert inward.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1:{other}", "http://127.0.0.1:{port}/"),
        ("127.0.0.2", "http://127.0.0.1:{port}/"),
        ("127.0.0.1", "http://inward.example:{port}/"),  # a name of anybody's that points there
        ("127.0.0.1", "http://[::ffff:127.0.0.1]:{port}/"),
        ("*.example", "http://127.0.0.1:{port}/"),
        ("*.inward.example", "http://inward.example:{port}/"),
        ("*.ward.example", "http://inward.example:{port}/"),
        ("ward.example", "http://inward.example:{port}/"),
        ("inward.example.com", "http://inward.example:{port}/"),
        ("inward.example:{other}", "http://inward.example:{port}/"),
    ],
)
def test_an_allowance_holds_for_nothing_beside_what_it_names(monkeypatch, allowed, url):
    async def main():
        async with Inward(monkeypatch) as inward:
            places = {"{port}": str(inward.port), "{other}": str(inward.port ^ 1)}
            policy = FetchPolicy(max_bytes=1000, allow=(re.sub(r"{\w+}", lambda m: places[m[0]], allowed),))
            with pytest.raises(UnsafeURLError, match=r"name it under media\.fetch\.allow if it is meant"):
                await fetch(re.sub(r"{\w+}", lambda m: places[m[0]], url), policy)
            assert not inward.attempted

    asyncio.run(main())
