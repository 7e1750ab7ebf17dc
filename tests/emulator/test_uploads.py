"""Temporary storage: policy, form, `oss://`."""

import base64
import io
import time

import httpx
import pytest
from PIL import Image

from relance_emulator import EmulatorConfig, running

PLUS = "tongyi-embedding-vision-plus"
MEDIA = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
HEADERS = {"authorization": "Bearer sk-test"}


def picture():
    content = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def client(emulator):
    with httpx.Client(base_url=emulator.url, trust_env=False) as client:
        yield client


def policy(client, model=PLUS):
    params = {"action": "getPolicy", "model": model}
    return client.get("/api/v1/uploads", params=params, headers=HEADERS)


def upload(client, data, name="a.png", **changes):
    fields = {
        "OSSAccessKeyId": data["oss_access_key_id"],
        "Signature": data["signature"],
        "policy": data["policy"],
        "key": f"{data['upload_dir']}/{name}",
        "x-oss-object-acl": data["x_oss_object_acl"],
        "x-oss-forbid-overwrite": data["x_oss_forbid_overwrite"],
        "success_action_status": "200",
        **changes,
    }
    return client.post(data["upload_host"], data=fields, files={"file": (name, picture(), "image/png")})


def embed(client, address, model=PLUS, **headers):
    body = {"model": model, "input": {"contents": [{"image": address}]}}
    return client.post(MEDIA, json=body, headers={**HEADERS, **headers})


RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}


def test_a_policy_has_the_recorded_fields(client):
    reply = policy(client).json()
    assert list(reply) == ["data", "request_id"]
    assert list(reply["data"]) == [
        "policy",
        "signature",
        "upload_dir",
        "upload_host",
        "expire_in_seconds",
        "max_file_size_mb",
        "capacity_limit_mb",
        "oss_access_key_id",
        "x_oss_object_acl",
        "x_oss_forbid_overwrite",
    ]
    assert reply["data"]["upload_dir"].startswith("dashscope-instant/")
    assert client.get("/api/v1/uploads", params={"action": "getPolicy"}, headers=HEADERS).status_code == 400
    assert client.get("/api/v1/uploads", params={"action": "getPolicy", "model": PLUS}).status_code == 401


def test_an_uploaded_picture_is_the_same_as_one_that_is_sent(client):
    data = policy(client).json()["data"]
    stored = upload(client, data)
    assert (stored.status_code, stored.content) == (200, b"")
    by_address = embed(client, f"oss://{data['upload_dir']}/a.png", **RESOLVE)
    sent = embed(client, f"data:image/png;base64,{base64.b64encode(picture()).decode()}")
    assert by_address.json()["output"] == sent.json()["output"]


def test_an_uploaded_picture_is_there_for_its_model_and_with_the_header_only(client):
    data = policy(client).json()["data"]
    upload(client, data)
    address = f"oss://{data['upload_dir']}/a.png"
    assert embed(client, address).status_code == 400
    assert embed(client, address, "multimodal-embedding-v1", **RESOLVE).status_code == 400
    assert embed(client, f"{address}x", **RESOLVE).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Signature": "wrong"}, 403, "SignatureDoesNotMatch"),
        ({"key": "elsewhere/a.png"}, 403, "AccessDenied"),
    ],
)
def test_an_upload_that_the_policy_does_not_allow_is_refused(client, changes, status, code):
    stored = upload(client, policy(client).json()["data"], **changes)
    assert stored.status_code == status
    assert f"<Code>{code}</Code>" in stored.text


def test_nothing_is_overwritten(client):
    data = policy(client).json()["data"]
    assert [upload(client, data).status_code for _ in range(2)] == [200, 409]


def test_a_policy_expires():
    with (
        running(EmulatorConfig(policy_s=0.05, vectors="hash")) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        data = policy(client).json()["data"]
        time.sleep(0.06)
        stored = upload(client, data)
    assert stored.status_code == 403
    assert "Invalid according to Policy: Policy expired." in stored.text
