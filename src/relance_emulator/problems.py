"""Everything the service refuses with: status, code and message, for both of its protocols.

Messages are the documented or recorded ones, mistakes included: clients have been written that look for them.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DOCUMENTED", "REQUEST", "Compatible", "Documented", "Problem", "invalid", "named"]

HELP = "For details, see: https://help.aliyun.com/zh/model-studio/error-code"
REQUEST = "invalid_request_error"


class Compatible(NamedTuple):
    """How the OpenAI-compatible routes say it: empty parts are as on the native ones, or the code's."""

    code: str
    message: str = ""
    type: str = ""


class Problem(Exception):  # noqa: N818  # not a mistake in this program, but what it has to answer with
    """A refusal; `native` and `compatible` give the bodies.

    Attributes:
        status: HTTP status.
        code: the native routes' name for it.
        message: the native routes' words.
        said: how the compatible routes say it, where they say it otherwise.
        param: what the compatible routes name as the parameter at fault.
    """

    def __init__(
        self, status: int, code: str, message: str, said: Compatible | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.said = said or Compatible(code)
        self.param = param

    def native(self, request_id: str) -> dict[str, object]:
        """Return the body as native routes have it."""
        return {"code": self.code, "message": self.message, "request_id": request_id}

    def compatible(self, request_id: str) -> dict[str, object]:
        """Return the body as compatible routes have it."""
        code = self.said.code
        error = {
            "message": self.said.message or self.message,
            "type": self.said.type or code,
            "param": self.param,
            "code": code,
        }
        # Refused arguments carry the id twice; other refusals have been seen with `request_id` only.
        twice = {"id": request_id} if code == "InvalidParameter" else {}
        return {"error": error, **twice, "request_id": request_id}


class Documented(NamedTuple):
    """A problem in the vendor's list of errors; `native` is its code where the name here is another."""

    status: int
    message: str
    native: str = ""
    said: Compatible | None = None


def invalid(message: str, *, algorithm: bool = True) -> Problem:
    """Refuse an argument; `algorithm` puts before the message what the model's own checks put there."""
    prefix = "<400> InternalError.Algo.InvalidParameter: " if algorithm else ""
    return Problem(400, "InvalidParameter", prefix + message)


def named(name: str, message: str = "") -> Problem:
    """Make a documented problem by name, with other words if need be."""
    listed = DOCUMENTED[name]
    said = listed.said
    if message and said:
        said = said._replace(message=message)
    return Problem(listed.status, listed.native or name, message or listed.message, said)


RATE = Documented(
    429,
    "Requests rate limit exceeded, please try again later.",
    said=Compatible("limit_requests", f"You have exceeded your current request limit. {HELP}#rate-limit"),
)
STANDING = "Access denied, please make sure your account is in good standing."

# By the name a scripted fault calls it.
DOCUMENTED: dict[str, Documented] = {
    "InvalidParameter": Documented(
        400, "Required parameter(s) missing or invalid, please check the request parameters."
    ),
    "InvalidParameter.DataInspection": Documented(
        400, "Unable to download the media resource during the data inspection process."
    ),
    "MediaDownload": Documented(400, "Failed to download multimodal content.", "InvalidParameter"),
    "MediaTimeout": Documented(
        400, "Download the media resource timed out during the data inspection process.", "InvalidParameter"
    ),
    "InvalidURL": Documented(400, "Invalid URL provided in your request."),
    "InvalidURL.ConnectionRefused": Documented(400, "Connection to xxx refused, please provide available URL."),
    "InvalidURL.Timeout": Documented(400, "Download xxx timeout, please check network connection."),
    "InvalidImageFormat": Documented(400, "The image format is invalid."),
    "InvalidImage.FileFormat": Documented(400, "Invalid image type. Please ensure the uploaded file is a valid image."),
    "InvalidFile.Size": Documented(400, "Invalid file size. The image file size must be smaller than 5MB."),
    "BadRequest.EmptyInput": Documented(400, "Required input parameter missing from request."),
    "BadRequest.EmptyParameters": Documented(400, 'Required parameter "parameters" missing from request.'),
    "BadRequest.EmptyModel": Documented(400, 'Required parameter "model" missing from request.'),
    "BadRequest.IllegalInput": Documented(400, "The input parameter requires json format."),
    "BadRequest.InputDownloadFailed": Documented(400, "Failed to download the input file: xxx."),
    "BadRequest.TooLarge": Documented(400, "Payload Too Large."),
    "DataInspectionFailed": Documented(
        400,
        "Input or output data may contain inappropriate content.",
        said=Compatible("data_inspection_failed"),
    ),
    "Arrearage": Documented(400, STANDING, said=Compatible("Arrearage", f"{STANDING} {HELP}#overdue-payment")),
    "UnsupportedOperation": Documented(400, "The operation is unsupported on the referee object."),
    "InvalidApiKey": Documented(
        401,
        "Invalid API-key provided.",
        said=Compatible("invalid_api_key", f"Incorrect API key provided. {HELP}#apikey-error", REQUEST),
    ),
    "NOT AUTHORIZED": Documented(
        401,
        "Access denied: Either you are not authorized to access this workspace, or the workspace does not exist. "
        "Please:\nVerify the workspace configuration.\nCheck your API endpoint settings. Ensure you are targeting "
        "the correct environment.",
    ),
    "AccessDenied": Documented(403, "Access denied.", said=Compatible("access_denied")),
    "AccessDenied.Unpurchased": Documented(
        403, "Access to model denied. Please make sure you are eligible for using the model."
    ),
    "Model.AccessDenied": Documented(403, "Model access denied."),
    "Workspace.AccessDenied": Documented(403, "Workspace access denied."),
    "AllocationQuota.FreeTierOnly": Documented(
        403,
        "The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, "
        'please disable the "use free tier only" mode in the management console.',
    ),
    "ModelNotFound": Documented(404, "Model can not be found.", said=Compatible("model_not_found", type=REQUEST)),
    "ModelNotSupported": Documented(
        404,
        "Unsupported model xxx for OpenAI compatibility mode.",
        "model_not_supported",
        Compatible("model_not_supported", type=REQUEST),
    ),
    "WorkSpaceNotFound": Documented(404, "WorkSpace can not be found."),
    "NotFound": Documented(404, "Not found."),
    "Conflict": Documented(409, "Model instance xxx is already exists, please specify a suffix."),
    "Throttling": Documented(429, "Requests throttling triggered."),
    "Throttling.RateQuota": RATE,
    "LimitRequests": RATE,
    "Throttling.BurstRate": Documented(
        429,
        "Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale "
        "requests more smoothly over time.",
        said=Compatible("limit_burst_rate"),
    ),
    "Throttling.AllocationQuota": Documented(
        429,
        "Allocated quota exceeded, please increase your quota limit.",
        said=Compatible(
            "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."
        ),
    ),
    "FreeAllocatedQuota": Documented(
        429, "Free allocated quota exceeded.", "Throttling.AllocationQuota", Compatible("insufficient_quota")
    ),
    "CommodityNotPurchased": Documented(429, "Commodity has not purchased yet."),
    "PrepaidBillOverdue": Documented(429, "The prepaid bill is overdue."),
    "PostpaidBillOverdue": Documented(429, "The postpaid bill is overdue."),
    "InternalError": Documented(
        500,
        "An internal error has occured, please try again later or contact service support.",
        said=Compatible("internal_error"),
    ),
    "InternalError.Algo": Documented(500, "inference internal error"),
    "EmbeddingPipeline": Documented(
        500,
        "<5000203> InternalError.Algo.Embedding_pipeline_Error: media could not be processed",
        "InternalError.Algo",
    ),
    "InternalError.Timeout": Documented(
        500,
        "An internal timeout error has occured during execution, please try again later or contact service support.",
    ),
    "SystemError": Documented(500, "An system error has occured, please try again later."),
    "ModelServiceFailed": Documented(500, "Failed to request model service."),
    "RequestTimeOut": Documented(500, "Request timed out, please try again later.", said=Compatible("request_timeout")),
    "ModelServingError": Documented(
        503,
        "Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.",
    ),
    "ModelUnavailable": Documented(503, "Model is unavailable, please try again later."),
    "ServiceUnavailable": Documented(503, "Service is unavailable, please try again later."),
    "GatewayTimeout": Documented(504, "Gateway timeout."),
}
