"""What the emulator answers, as recorded from the service, documented or reported by users."""

import base64

import numpy as np
import pytest
from dashscope_clients import COMPATIBLE_PATH, MEDIA_PATH, QUOTES, TEXT_PATH, V4, data_uri, picture

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_a_native_reply_is_laid_out_as_recorded(reference):
    response = reference(TEXT_PATH, {"model": "text-embedding-v2", "input": {"texts": ["代码改变世界"]}})
    reply = response.json()
    assert list(reply) == ["output", "usage", "request_id"]
    (item,) = reply["output"]["embeddings"]
    assert list(item) == ["embedding", "text_index"]
    assert (len(item["embedding"]), item["text_index"], reply["usage"]) == (1536, 0, {"total_tokens": 3})
    assert response.headers["x-request-id"] == reply["request_id"]
    assert response.headers["content-type"] == "application/json"
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(("text", "tokens"), [("衣服的质量杠杠的", 6), ("我想知道迪士尼的退票政策", 8)])
def test_a_compatible_reply_is_laid_out_and_billed_as_recorded(reference, text, tokens):
    reply = reference(COMPATIBLE_PATH, {"model": V4, "input": text}).json()
    assert list(reply) == ["data", "model", "object", "usage", "id"]
    assert list(reply["data"][0]) == ["embedding", "index", "object"]
    assert reply["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (reply["model"], reply["object"], reply["data"][0]["object"]) == (V4, "list", "embedding")


def test_a_multimodal_reply_is_laid_out_as_documented(reference):
    contents = [{"text": "red"}, {"image": data_uri(picture("red"))}]
    reply = reference(MEDIA_PATH, {"model": "multimodal-embedding-v1", "input": {"contents": contents}}).json()
    assert list(reply) == ["output", "usage", "request_id"]
    assert [list(item) for item in reply["output"]["embeddings"]] == [["index", "embedding", "type"]] * 2
    assert [(item["index"], item["type"]) for item in reply["output"]["embeddings"]] == [(0, "text"), (1, "image")]
    assert reply["usage"] == {"input_tokens": 1, "image_tokens": 896, "image_count": 1, "duration": 0}


def test_numbers_are_exactly_float32_and_base64_holds_the_same(reference):
    body = {"model": V4, "input": QUOTES}
    numbers = [item["embedding"] for item in reference(COMPATIBLE_PATH, body).json()["data"]]
    coded = [
        item["embedding"] for item in reference(COMPATIBLE_PATH, {**body, "encoding_format": "base64"}).json()["data"]
    ]
    assert np.array_equal(np.array(numbers), np.array(numbers, np.float32))
    assert np.array_equal(np.array(numbers), [np.frombuffer(base64.b64decode(text), "<f4") for text in coded])


def test_a_refused_key_reads_as_recorded(reference):
    native = reference(TEXT_PATH, {"model": V4}, authorization="Bearer nonsense")
    assert native.status_code == 401
    body = native.json()
    assert list(body) == ["code", "message", "request_id"]
    assert (body["code"], body["message"]) == ("InvalidApiKey", "Invalid API-key provided.")
    compatible = reference(COMPATIBLE_PATH, {"model": V4}, authorization="Bearer nonsense").json()
    help_page = "https://help.aliyun.com/zh/model-studio/error-code#apikey-error"
    assert compatible["error"] == {
        "message": f"Incorrect API key provided. For details, see: {help_page}",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert list(compatible) == ["error", "request_id"]


def test_too_many_texts_read_as_reported_by_users(reference):
    message = (
        "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than "
        "10.: input.contents"
    )
    native = reference(TEXT_PATH, {"model": V4, "input": {"texts": ["a"] * 11}})
    assert (native.status_code, native.json()["code"], native.json()["message"]) == (400, "InvalidParameter", message)
    compatible = reference(COMPATIBLE_PATH, {"model": V4, "input": ["a"] * 11}).json()
    assert compatible["error"] == {
        "message": message,
        "type": "InvalidParameter",
        "param": None,
        "code": "InvalidParameter",
    }
    assert compatible["id"] == compatible["request_id"]


def test_a_wrong_address_reads_as_reported_by_users(reference):
    response = reference("/compatible-api/v1/embeddings", {"model": V4, "input": "a"})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "code": "",
        "param": None,
        "message": "Invalid URL (POST /compatible-api/v1/embeddings)",
        "type": "invalid_request_error",
    }
