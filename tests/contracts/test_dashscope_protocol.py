"""The emulator answers DashScope's official clients as the service does; relance's own client passes the same suite.

A driver makes one client look like the others; a new client is one more class in DRIVERS.
"""

import numpy as np
import pytest
from dashscope_clients import DRIVERS, QUOTES, TEXT_PATH, V4, OpenAI, RefusedError, data_uri, make, picture

from relance.embedding.tokenizers import open_tokenizer

pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def client(request, emulator):
    client = make(request.param, emulator)
    yield client
    client.close()


@pytest.fixture(params=[driver for driver in DRIVERS if driver.native], ids=lambda driver: driver.name)
def native(request, emulator):
    client = make(request.param, emulator)
    yield client
    client.close()


def test_every_client_gets_the_same_vectors_in_the_order_of_its_texts(client, reference):
    reply = reference(TEXT_PATH, {"model": V4, "input": {"texts": QUOTES}}).json()
    expected = [item["embedding"] for item in reply["output"]["embeddings"]]
    answer = client.text(QUOTES)
    assert answer.vectors.shape == (3, 1024)
    assert np.array_equal(answer.vectors, expected)


def test_every_client_is_billed_the_qwen_tokens_and_one_per_text(client):
    assert client.text(QUOTES).tokens == open_tokenizer("qwen").count(QUOTES).sum() + len(QUOTES)


@pytest.mark.parametrize("dimension", [64, 768, 2048])
def test_every_client_gets_the_dimension_it_asks_for(client, dimension):
    vectors = client.text(QUOTES, dimension=dimension).vectors
    assert vectors.shape == (3, dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_every_client_takes_as_many_texts_as_are_allowed_and_no_more(client):
    assert len(client.text([f"text {number}" for number in range(10)]).vectors) == 10
    with pytest.raises(RefusedError) as refused:
        client.text([f"text {number}" for number in range(11)])
    assert refused.value.kind == "input"


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_every_client_tells_a_wrong_key_from_a_wrong_text(driver, emulator):
    client = make(driver, emulator, key="wrong")
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    client.close()
    assert refused.value.kind == "account"
    assert "wrong" not in refused.value.says.replace("wrong region", "")


def test_every_client_reports_an_empty_text(client):
    with pytest.raises(RefusedError, match=r"Range of input length should be \[1, 8192\]") as refused:
        client.text(["fine", ""])
    assert refused.value.kind == "input"


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("Arrearage", "account"),
        ("AllocationQuota.FreeTierOnly", "account"),
        ("DataInspectionFailed", "input"),
        ("Throttling.RateQuota", "retry"),
        ("Throttling.AllocationQuota", "retry"),
        ("Throttling.BurstRate", "retry"),
        ("InternalError", "retry"),
        ("ModelServingError", "retry"),
        ("html", "retry"),
    ],
)
def test_every_client_tells_what_a_refusal_calls_for(client, emulator, action, kind):
    emulator.faults([{"action": action}])
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    assert refused.value.kind == kind


# The openai package looks for `data` only, and hands out nothing.
@pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if not issubclass(driver, OpenAI)], ids=lambda driver: driver.name
)
def test_an_error_in_a_reply_of_status_200_is_an_error(driver, emulator):
    emulator.faults([{"action": "ok_with_code", "code": "InternalError"}])
    client = make(driver, emulator)
    with pytest.raises(RefusedError) as refused:
        client.text(QUOTES)
    client.close()
    assert refused.value.kind == "retry"


def test_every_client_reads_a_compressed_reply(client, emulator):
    plain = client.text(QUOTES).vectors
    emulator.faults([{"action": "gzip"}])
    assert np.array_equal(client.text(QUOTES).vectors, plain)


def test_questions_and_passages_are_embedded_differently(native):
    passage = native.text(["What is lift?"]).vectors
    question = native.text(["What is lift?"], text_type="query").vectors
    assert 0.9 < (passage @ question.T)[0, 0] < 0.9999


def test_an_instruction_changes_questions_and_only_those(native):
    task = "Given a question, find passages that answer it"
    plain, told = (
        native.text(["What is lift?"], text_type="query", **more).vectors for more in ({}, {"instruct": task})
    )
    assert not np.array_equal(plain, told)
    plain, told = (native.text(["What is lift?"], **more).vectors for more in ({}, {"instruct": task}))
    assert np.array_equal(plain, told)


def test_texts_and_pictures_of_one_call_get_a_vector_each(native):
    red, blue = (data_uri(picture(colour)) for colour in ("red", "blue"))
    answer = native.pictures([{"text": "a red picture"}, {"image": red}, {"image": blue}])
    assert answer.vectors.shape == (3, 1152)
    words, red_vector, blue_vector = answer.vectors
    assert words @ red_vector > words @ blue_vector + 0.2
