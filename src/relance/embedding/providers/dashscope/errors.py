"""Every error DashScope documents, and what each means for the caller: one table, for both of its protocols.

Sources: the vendor's page "Error messages" (English and Chinese, 2026), the API pages of the embedding models, and
messages users have reported. Codes differ between gateways, so a row with a message is found by that alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from relance.embedding.providers.dashscope.regions import place_of
from relance.embedding.providers.refusals import Kind, Refusal, error_of, kind_of
from relance.errors import RelanceError

__all__ = ["ERRORS", "ErrorRow", "error_for", "find_error"]


@dataclass(slots=True, frozen=True)
class ErrorRow:
    """One documented error.

    Attributes:
        status: HTTP status it is documented with.
        codes: its names; the native one first, the OpenAI-compatible one last.
        says: part of its message, in lower case; empty where the code says it all.
        kind: what the caller does next.
        advice: what it means and what to do, a sentence with {place}, {key} and {model} to fill in; empty where the
            service's words are enough.
    """

    status: int
    codes: tuple[str, ...]
    says: str
    kind: Kind
    advice: str = ""


INVALID = ("InvalidParameter", "InternalError.Algo.InvalidParameter", "invalid_parameter_error")
DENIED = ("AccessDenied", "access_denied")
QUOTA = ("Throttling.AllocationQuota", "insufficient_quota")

MALFORMED = "The request is not what the service at {place} expects: check the model and the address."
FILE = "The service cannot use this image or video."
FETCHING = "The service could not fetch this image or video: its address has to be public and answer in time."
BILL = "The account of {key} at {place} has a bill to be paid: settle it in the Model Studio console."
RIGHTS = "The key in {key} may not use {model} at {place}: give its workspace the right in the console."
BUSY = "The service at {place} is overloaded."
LIMIT = "The account's limit at {place} is reached."

# Within one code, what is special comes before what is general.
ERRORS: tuple[ErrorRow, ...] = (
    # What is wrong with a text, or with their number: the batch is searched for it.
    ErrorRow(400, INVALID, "batch size is invalid", "input", "The request holds more texts than {model} takes."),
    ErrorRow(400, INVALID, "range of input length should be", "input", "The text is empty or too long."),
    ErrorRow(400, INVALID, "contents is neither str nor list of str", "input"),
    ErrorRow(400, ("DataInspectionFailed", "data_inspection_failed"), "", "input", "Content moderation refuses it."),
    # What is wrong with an image or a video. A failed download is tried again when the batch is searched, and by
    # the next run. What was fetched may not be what we got: a page that asks for a login is no picture.
    ErrorRow(400, INVALID, "failed to download multimodal content", "fetch", FETCHING),
    ErrorRow(400, INVALID, "download the media resource timed out", "fetch", FETCHING),
    ErrorRow(400, INVALID, "unable to download the media resource", "fetch", FETCHING),
    ErrorRow(400, INVALID, "have authorization to access the media resource", "fetch", FETCHING),
    ErrorRow(400, INVALID, "the provided url does not appear to be valid", "fetch", FETCHING),
    ErrorRow(400, INVALID, "failed to decode the image", "fetch", FILE),
    ErrorRow(400, INVALID, "exceeded limit on max bytes per data-uri item", "input", FILE),
    ErrorRow(400, INVALID, "multimodal file size is too large", "input", FILE),
    ErrorRow(400, INVALID, "wrong content-type of multimodal url", "fetch", FETCHING),
    ErrorRow(400, INVALID, "image length and width do not meet", "input", FILE),
    ErrorRow(400, INVALID, "format is illegal and cannot be opened", "fetch", FILE),
    ErrorRow(400, INVALID, "media format is not supported", "input", FILE),
    ErrorRow(400, INVALID, "invalid video file", "input", FILE),
    ErrorRow(400, ("InvalidParameter.DataInspection",), "", "fetch", FETCHING),
    ErrorRow(400, ("InvalidURL",), "", "fetch", FETCHING),
    ErrorRow(400, ("InvalidURL.ConnectionRefused",), "", "fetch", FETCHING),
    ErrorRow(400, ("InvalidURL.Timeout",), "", "fetch", FETCHING),
    ErrorRow(400, ("InvalidImageFormat",), "", "input", FILE),
    ErrorRow(400, ("InvalidImage.FileFormat",), "", "input", FILE),
    ErrorRow(400, ("InvalidFile.Size",), "", "input", FILE),
    ErrorRow(400, ("BadRequest.InputDownloadFailed",), "", "fetch", FETCHING),
    ErrorRow(400, ("BadRequest.TooLarge",), "", "input", "The request is too large."),
    # What is wrong with the settings.
    ErrorRow(400, INVALID, "value error, dimension for", "configuration", "Set the dimension to one that {model} has."),
    ErrorRow(400, INVALID, "model not exist", "configuration", "There is no {model} at {place}: check the model."),
    ErrorRow(
        400,
        INVALID,
        "url error,",
        "configuration",
        "{model} is of another kind: text models belong in `embedding`, multimodal ones in `media.embedding`.",
    ),
    ErrorRow(400, INVALID, "required parameter(", "configuration", MALFORMED),
    ErrorRow(400, INVALID, "field required", "configuration", MALFORMED),
    ErrorRow(400, ("BadRequest.EmptyInput",), "", "configuration", MALFORMED),
    ErrorRow(400, ("BadRequest.EmptyParameters",), "", "configuration", MALFORMED),
    ErrorRow(400, ("BadRequest.EmptyModel",), "", "configuration", MALFORMED),
    ErrorRow(400, ("BadRequest.IllegalInput",), "", "configuration", MALFORMED),
    ErrorRow(400, ("invalid_request_error",), "you must provide a model parameter", "configuration", MALFORMED),
    ErrorRow(
        403,
        DENIED,
        "does not support asynchronous calls",
        "configuration",
        "{model} cannot be called like this at {place}: choose another model.",
    ),
    ErrorRow(
        403,
        DENIED,
        "does not support synchronous calls",
        "configuration",
        "{model} cannot be called like this at {place}: choose another model.",
    ),
    ErrorRow(
        404,
        ("ModelNotFound", "model_not_found"),
        "",
        "configuration",
        "There is no {model} at {place}: check the model and the region.",
    ),
    ErrorRow(
        404,
        ("model_not_supported",),
        "",
        "configuration",
        "{model} is not served by the compatible protocol: write it as dashscope/… and leave base_url out.",
    ),
    ErrorRow(
        404,
        ("WorkSpaceNotFound",),
        "",
        "configuration",
        "There is no such workspace at {place}: check `workspace` (or DASHSCOPE_WORKSPACE_ID).",
    ),
    ErrorRow(404, (), "invalid url (", "configuration", "The address is wrong: check base_url."),
    ErrorRow(404, ("NotFound",), "", "configuration", "The address is wrong: check base_url."),
    # What is wrong with the account: every further call would fail, too.
    ErrorRow(400, ("Arrearage",), "", "account", BILL),
    ErrorRow(
        401,
        ("InvalidApiKey", "invalid_api_key"),
        "",
        "account",
        "The key in {key} is not valid at {place}: a key works only in the region it was made in, so check both.",
    ),
    ErrorRow(
        401,
        ("NOT AUTHORIZED",),
        "",
        "account",
        "The key in {key} does not belong to this workspace at {place}: check `workspace` (or "
        "DASHSCOPE_WORKSPACE_ID), the region and the key.",
    ),
    ErrorRow(403, DENIED, "policy expired", "retry"),  # of an upload; the next try asks for a new one
    ErrorRow(
        403,
        ("AccessDenied.Unpurchased",),
        "",
        "account",
        "The account of {key} has not activated Model Studio at {place}: do so in the console.",
    ),
    ErrorRow(403, ("Model.AccessDenied",), "", "account", RIGHTS),
    ErrorRow(403, ("Workspace.AccessDenied",), "", "account", RIGHTS),
    ErrorRow(
        403,
        ("AllocationQuota.FreeTierOnly",),
        "",
        "account",
        "The free quota of {model} at {place} is used up: switch off “use free tier only” in the console to pay "
        "for more.",
    ),
    ErrorRow(403, DENIED, "", "account", RIGHTS),
    ErrorRow(
        429,
        QUOTA,
        "free allocated quota exceeded",
        "account",
        "The free quota of {model} at {place} is used up, and it is not sold there: choose another model.",
    ),
    ErrorRow(
        429,
        ("CommodityNotPurchased",),
        "",
        "account",
        "The workspace of {key} at {place} is not subscribed to Model Studio: do so in the console.",
    ),
    ErrorRow(429, ("PrepaidBillOverdue",), "", "account", BILL),
    ErrorRow(429, ("PostpaidBillOverdue",), "", "account", BILL),
    # What passes.
    ErrorRow(429, ("Throttling.RateQuota", "LimitRequests", "limit_requests"), "", "rate", LIMIT),
    ErrorRow(429, ("Throttling.BurstRate", "limit_burst_rate"), "", "rate", LIMIT),
    ErrorRow(429, QUOTA, "", "rate", LIMIT),
    ErrorRow(429, ("Throttling",), "", "rate", LIMIT),
    ErrorRow(409, ("Conflict",), "", "retry"),
    ErrorRow(500, ("InternalError.Algo", "internal_error"), "embedding_pipeline_error", "suspect"),
    ErrorRow(500, ("InternalError", "internal_error"), "", "retry"),
    ErrorRow(500, ("InternalError.Algo",), "", "retry"),
    ErrorRow(500, ("InternalError.Timeout",), "", "retry"),
    ErrorRow(500, ("SystemError",), "", "retry"),
    ErrorRow(500, ("ModelServiceFailed",), "", "retry"),
    ErrorRow(500, ("RequestTimeOut", "request_timeout"), "", "retry"),
    ErrorRow(503, ("ModelServingError",), "", "rate", BUSY),
    ErrorRow(503, ("ModelUnavailable",), "", "retry"),
    ErrorRow(503, ("ServiceUnavailable",), "", "retry"),
    ErrorRow(504, ("GatewayTimeout",), "", "retry"),
)


def find_error(no: Refusal) -> ErrorRow | None:
    """Find the row of a refusal, by its message, else by its code; None for what is not documented."""
    message = no.message.lower()
    for row in ERRORS:
        if row.says and row.says in message:
            return row
    codes = {code.lower() for code in no.codes}
    for row in ERRORS:
        # A code says less than a status of another kind; but an error may come with status 200.
        fits = no.status // 100 in {2, row.status // 100}
        if fits and not row.says and any(code.lower() in codes for code in row.codes):
            return row
    return None


def error_for(no: Refusal, *, model: str, url: str, key: str = "DASHSCOPE_API_KEY") -> RelanceError:
    """Turn a refusal into the error that tells the caller what to do.

    Args:
        no: the refusal, its message fit to be shown.
        model: as in the spec.
        url: the address that was called.
        key: the variable or field the key comes from.
    """
    row = find_error(no)
    kind = row.kind if row else kind_of(no)
    advice = row.advice.format(place=place_of(url), key=key, model=model) + " " if row and row.advice else ""
    names = " ".join([str(no.status), *no.codes[:1]])
    request = f", request {no.request_id}" if no.request_id else ""
    return error_of(kind, f"{advice}{model} at {place_of(url)} said ({names}{request}): {no.message}", no)
