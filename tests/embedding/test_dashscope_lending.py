"""Files that are lent to DashScope: what is sent to its storage, and what is not."""

import asyncio

import pytest
from dashscope_service import KEY, spec_for
from werkzeug import Response

from relance.config.settings import read_settings
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.dashscope.media import DashScopeMedia
from relance.errors import InputError, RetryableError

SERVICE = "dashscope_service"


def lend(url, data=b"x", **fields):
    async def main():
        spec = spec_for(url, "tongyi-embedding-vision-plus", **{"region": "beijing"} | fields)
        provider = DashScopeMedia(spec, read_settings())
        try:
            return await provider.upload(data, "a folder/übung 1.mp4", "video/mp4")
        finally:
            await provider.aclose()

    return asyncio.run(main())


def policy(server, **fields):
    data = {
        "policy": "eyJl",
        "signature": "g5K",
        "upload_dir": "dashscope-instant/xxx/2024-07-18/xxx",
        "upload_host": server.url_for("/oss"),
        "expire_in_seconds": 300,
        "max_file_size_mb": 1024,
        "oss_access_key_id": "LTA",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    } | fields
    server.expect_request(
        "/api/v1/uploads", query_string="action=getPolicy&model=tongyi-embedding-vision-plus"
    ).respond_with_json({"data": data, "request_id": "1"})


def test_a_file_is_lent_as_the_protocol_says_and_without_the_key(service):
    got = []

    def store(request):
        file = request.files["file"]
        got.append((list(request.form.items()), file.filename, file.mimetype, file.read(), dict(request.headers)))
        return Response("")

    policy(service.server)
    service.server.expect_request("/oss", method="POST").respond_with_handler(store)
    assert lend(service.url) == "oss://dashscope-instant/xxx/2024-07-18/xxx/übung_1.mp4"
    [(form, name, media_type, data, headers)] = got
    assert form == [
        ("OSSAccessKeyId", "LTA"),
        ("Signature", "g5K"),
        ("policy", "eyJl"),
        ("key", "dashscope-instant/xxx/2024-07-18/xxx/übung_1.mp4"),
        ("x-oss-object-acl", "private"),
        ("x-oss-forbid-overwrite", "true"),
        ("success_action_status", "200"),
        ("x-oss-content-type", "video/mp4"),
    ]
    assert (name, media_type, data) == ("übung_1.mp4", "video/mp4", b"x")
    assert KEY not in str(headers)


def test_a_file_is_lent_in_beijing_only(service):
    with pytest.raises(InputError, match="Beijing only"):
        lend(service.url, region="singapore")


def test_a_file_over_the_policys_limit_is_not_sent(service):
    policy(service.server, max_file_size_mb="1")
    with pytest.raises(InputError, match=r"1\.0 MiB; the service can be lent 1"):
        lend(service.url, b"x" * ((1 << 20) + 1))


@pytest.mark.parametrize("host", ["https://evil.example/oss", "http://dashscope-file.oss.aliyuncs.com", "ftp://x", ""])
def test_a_file_is_not_sent_just_anywhere(service, host):
    policy(service.server, upload_host=host)
    with pytest.raises(BadReplyError, match="not Alibaba Cloud"):
        lend(service.url)


def test_an_expired_policy_is_worth_another_try(service):
    policy(service.server)
    xml = "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"
    service.server.expect_request("/oss").respond_with_data(xml, 403, content_type="application/xml")
    with pytest.raises(RetryableError, match="Policy expired"):
        lend(service.url)


def test_a_policy_that_is_none_is_asked_for_again(service):
    service.server.expect_request("/api/v1/uploads").respond_with_json({"data": {"policy": "x"}})
    with pytest.raises(BadReplyError, match="no policy"):
        lend(service.url)
