"""Every documented error of DashScope, in both of its protocols, means what the table says."""

import json
import pickle

import pytest
from werkzeug import Response

from relance.embedding.providers.dashscope.errors import ERRORS, error_for, find_error
from relance.embedding.providers.refusals import Refusal, read_refusal
from relance.errors import (
    AccountError,
    ConfigurationError,
    DeniedError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
    SuspectInputError,
    UnfetchedError,
)
from relance.http.client import Response as HTTPResponse
from relance_emulator.problems import DOCUMENTED, named

URL = "https://dashscope-intl.aliyuncs.com/api/v1"
MODEL = "dashscope/text-embedding-v4"
CLASSES = {
    "retry": RetryableError,
    "suspect": SuspectInputError,
    "rate": RateLimitedError,
    "input": InputError,
    "fetch": UnfetchedError,
    "configuration": ConfigurationError,
    "account": AccountError,
}


def message_of(row):
    return f"<400> InternalError.Algo.Some: Value error, {row.says or 'Something happened'}: input.contents"


def native(status, code, message):
    body = {"code": code, "message": message, "request_id": "1773f7b2"}
    return read_refusal(HTTPResponse(status, json=body), body)


def compatible(status, code, message):
    error = {"message": message, "type": code, "param": None, "code": code}
    body = {"error": error, "id": "1773f7b2", "request_id": "1773f7b2"}
    return read_refusal(HTTPResponse(status, json=body), body)


def ids(row):
    return f"{row.status} {'/'.join(row.codes)} {row.says}"


@pytest.mark.parametrize("form", [native, compatible])
@pytest.mark.parametrize("row", ERRORS, ids=ids)
def test_every_row_is_found_under_each_of_its_names_in_both_protocols(row, form):
    for code in row.codes or ("",):
        no = form(row.status, code, message_of(row).title() if row.says else message_of(row))
        assert find_error(no) is row
        error = error_for(no, model=MODEL, url=URL)
        assert type(error) is CLASSES[row.kind]
        assert "dashscope-intl.aliyuncs.com (Singapore)" in str(error)
        assert MODEL in str(error)
        assert "1773f7b2" in str(error)
        assert not any(brace in str(error) for brace in "{}")


@pytest.mark.parametrize("row", [row for row in ERRORS if row.kind == "account"], ids=ids)
def test_what_is_wrong_with_the_account_is_said_with_place_and_remedy(row):
    error = error_for(native(row.status, row.codes[0], row.says or "no"), model=MODEL, url=URL, key="MY_KEY")
    meaning = str(error).rpartition(f" {MODEL} at")[0]
    assert "dashscope-intl.aliyuncs.com (Singapore)" in meaning
    assert ":" in meaning  # what is wrong: what to do
    assert meaning.endswith(".")
    assert "DASHSCOPE_API_KEY" not in meaning


def test_no_row_hides_another():
    names = [(code.lower(), row.says) for row in ERRORS for code in row.codes]
    assert len(set(names)) == len(names)
    for at, row in enumerate(ERRORS):
        assert not any(earlier.says and earlier.says in row.says for earlier in ERRORS[:at])
        assert row.says == row.says.lower()


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if name != "UnsupportedOperation"])
def test_everything_the_emulator_may_say_is_in_the_table(name):
    """The emulator's list was written without a look at this one. (UnsupportedOperation is about tasks.)"""
    problem = named(name)
    rows = []
    for body in (problem.native("id"), problem.compatible("id")):
        no = read_refusal(HTTPResponse(problem.status, json=body), body)
        rows.append(find_error(no))
    assert rows[0] is not None
    assert rows[0] is rows[1]


# Messages users have reported, word by word.
@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (
            400,
            "InvalidParameter",
            (
                "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger "
                "than 10.: input.contents"
            ),
            InputError,
        ),
        (
            400,
            "InvalidParameter",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 8192]",
            InputError,
        ),
        (
            400,
            "InvalidParameter",
            (
                "<400> InternalError.Algo.InvalidParameter: Value error, dimension for embedding v3 is invalid, its value "
                "shold be in [64, 128, 256, 512, 768, 1024, 1536, 2048, 3072]: parameters.dimension"
            ),
            ConfigurationError,
        ),
        (
            400,
            "InvalidParameter",
            "url error, please check url！ For details, see: https://help.aliyun.com/zh/model-studio/error-code#error-url",
            ConfigurationError,
        ),
        (
            400,
            "InvalidParameter",
            (
                "<400> InternalError.Algo.InvalidParameter: The image length and width do not meet the model "
                "restrictions. [height:1 or width:1 must be larger than 10]"
            ),
            InputError,
        ),
        (
            400,
            "InvalidParameter",
            "<400> InternalError.Algo.InvalidParameter: The image format is illegal and cannot be opened",
            UnfetchedError,
        ),
        (400, "InvalidParameter", "Exceeded limit on max bytes per data-uri item : 10485760", InputError),
        (400, "InvalidParameter", "something nobody has seen yet", InputError),
        (400, "InternalError.Algo", "with a status that says more than the code", InputError),
        (
            500,
            "InternalError.Algo",
            "<5000203> InternalError.Algo.Embedding_pipeline_Error: x",
            SuspectInputError,
        ),
        (401, "InvalidApiKey", "Invalid API-key provided.", AccountError),
        (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", AccountError),
        (400, "Throttling.AllocationQuota", "Free allocated quota exceeded.", AccountError),
        (
            429,
            "Throttling.AllocationQuota",
            "Allocated quota exceeded, please increase your quota limit.",
            RateLimitedError,
        ),
        (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            RateLimitedError,
        ),
        (404, "", "Invalid URL (POST /compatible-api/v1/embeddings)", ConfigurationError),
        (200, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", RateLimitedError),
        (200, "Arrearage", "Access denied, please make sure your account is in good standing.", AccountError),
        (200, "SomethingNew", "never seen", RetryableError),
        # Codes nobody has documented go by the status.
        (400, "InvalidFile.Duration", "too long", InputError),
        (403, "Something.Denied", "no", DeniedError),
        (404, "Nowhere", "no", ConfigurationError),
        (418, "Teapot", "no", InputError),
        (429, "Throttling.New", "no", RateLimitedError),
        (502, "BadGateway", "no", RetryableError),
    ],
)
@pytest.mark.parametrize("form", [native, compatible])
def test_reported_and_unknown_errors_mean_what_they_should(form, status, code, message, kind):
    error = error_for(form(status, code, message), model=MODEL, url=URL)
    assert type(error) is kind
    assert message in str(error)


def test_a_pause_that_is_asked_for_is_passed_on():
    body = {"code": "Throttling", "message": "Requests throttling triggered."}
    no = read_refusal(HTTPResponse(429, json=body, headers={"retry-after": "7"}), body)
    error = error_for(no, model=MODEL, url=URL)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 7


def test_errors_survive_the_way_to_another_process():
    error = error_for(Refusal(401, "no", ("InvalidApiKey",)), model=MODEL, url=URL)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://dashscope.aliyuncs.com/api/v1", "dashscope.aliyuncs.com (Beijing)"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/api/v1", "ws-1.ap-southeast-1.maas.aliyuncs.com (Singapore)"),
        ("http://127.0.0.1:8000/api/v1", "127.0.0.1:8000"),
    ],
)
def test_the_place_is_named_by_host_and_region(url, place):
    error = error_for(Refusal(401, "Invalid API-key provided.", ("InvalidApiKey",)), model=MODEL, url=url)
    assert str(error) == (
        f"The key in DASHSCOPE_API_KEY is not valid at {place}: a key works only in the region it was made in, so "
        f"check both. {MODEL} at {place} said (401 InvalidApiKey): Invalid API-key provided."
    )


def test_the_openai_provider_reads_the_same_table_at_a_dashscope_host(httpserver, monkeypatch):
    import asyncio

    from relance.config import EmbeddingSpec
    from relance.embedding.providers import dashscope, open_provider

    monkeypatch.setattr(dashscope, "is_dashscope", lambda host: host in {"localhost", "127.0.0.1"})
    body = {
        "error": {
            "message": "Free allocated quota exceeded.",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
        }
    }
    httpserver.expect_request("/compatible-mode/v1/embeddings").respond_with_response(
        Response(json.dumps(body), 429, mimetype="application/json")
    )
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-dashscope")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    spec = EmbeddingSpec(model="openai/text-embedding-v4", base_url=httpserver.url_for("/compatible-mode/v1"))

    async def ask():
        provider = open_provider(spec)
        try:
            await provider.embed(["x"], input_type="document")
        finally:
            await provider.aclose()

    with pytest.raises(RelanceError) as caught:
        asyncio.run(ask())
    assert type(caught.value) is AccountError
    assert "The free quota of openai/text-embedding-v4 at localhost" in str(caught.value)
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer sk-dashscope"
