"""The checks of a request before anything is embedded, in the service's order and words.

Order: key (`auth.py`), does the model belong to this address, is there such a model, the body's shape, how many, how
long each, the dimension. One failure fails the whole call.
"""

from __future__ import annotations

import unicodedata
from typing import Any, TypeVar

from relance_emulator.config import EmulatorConfig
from relance_emulator.models import MODELS, AsyncModel, Model, TextModel
from relance_emulator.problems import REQUEST, Problem, invalid, named
from relance_emulator.wire import Call

__all__ = [
    "choice",
    "compatible_model",
    "count_tokens",
    "dimension",
    "lengths",
    "manner",
    "missing",
    "native_model",
    "native_parts",
    "texts",
]

M = TypeVar("M", bound=Model)
WRONG_ADDRESS = (
    "url error, please check url！ For details, see: https://help.aliyun.com/zh/model-studio/error-code#error-url"
)


def native_model(config: EmulatorConfig, call: Call, *families: type[M]) -> M:
    """Find the model of a native call; one of other families is told that it has the wrong address."""
    if not isinstance(call.json, dict):
        raise named("BadRequest.IllegalInput")
    if not call.model:
        raise named("BadRequest.EmptyModel")
    model = MODELS.get(call.model)
    if model is None:
        raise _unknown(call.model)
    if not isinstance(model, families):
        raise invalid(WRONG_ADDRESS, algorithm=False)
    return _served(config, model)


def compatible_model(config: EmulatorConfig, body: Any) -> TextModel:
    """Find the model of a call to the OpenAI-compatible route."""
    name = body.get("model") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        raise Problem(400, REQUEST, "you must provide a model parameter.")
    model = MODELS.get(name)
    if model is None:
        raise _unknown(name)
    _served(config, model)
    if not isinstance(model, TextModel):
        raise named("ModelNotSupported", f"Unsupported model {name} for OpenAI compatibility mode.")
    return model


def _served(config: EmulatorConfig, model: M) -> M:
    if config.region and config.region not in model.regions:
        raise _unknown(model.name)
    return model


def _unknown(name: str) -> Problem:
    listed = named("ModelNotFound")
    said = listed.said._replace(message=f"The model `{name}` does not exist or you do not have access to it.")
    return Problem(listed.status, listed.code, listed.message, said)


def native_parts(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return `input` and `parameters` of a native call; the latter may be missing."""
    if "input" not in call.json or call.json["input"] is None:
        raise named("BadRequest.EmptyInput")
    given, parameters = call.json["input"], call.json.get("parameters")
    if not isinstance(given, dict):
        raise named("BadRequest.IllegalInput")
    return given, parameters if isinstance(parameters, dict) else {}


def missing(field: str) -> Problem:
    """Refuse a call that lacks a field."""
    return invalid(f"Field required: {field}")


def texts(value: Any, model: TextModel) -> list[str]:
    """Return the texts of a call, one or several, after counting them."""
    many = [value] if isinstance(value, str) else value
    # Not strings: also what clients send that tokenize by themselves.
    if not isinstance(many, list) or not many or not all(isinstance(text, str) for text in many):
        raise invalid("Value error, contents is neither str nor list of str.: input.contents")
    if len(many) > model.texts:
        raise invalid(
            f"Value error, batch size is invalid, it should not be larger than {model.texts}.: input.contents"
        )
    return many


def count_tokens(many: list[str]) -> list[int]:
    """Count the tokens of texts as the service bills them, before the end token.

    The service takes names of special tokens in a text for those tokens; here they are ordinary text.
    """
    from relance.embedding.tokenizers import open_tokenizer

    normal = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in many]
    return open_tokenizer("qwen").count(normal).tolist()


def lengths(many: list[str], limit: int) -> list[int]:
    """Count the tokens of texts and refuse an empty or a too long one."""
    counts = count_tokens(many)
    if not all(1 <= count <= limit for count in counts):
        raise invalid(f"Range of input length should be [1, {limit}]")
    return counts


def dimension(value: Any, model: Model) -> int:
    """Return the dimension asked for, or the model's own."""
    if value is None or not model.dimensions:
        return model.dimension
    if isinstance(value, bool) or not isinstance(value, int) or value not in model.dimensions:
        called, listed = getattr(model, "called", ("", ()))
        name = called or model.name
        raise invalid(
            f"Value error, dimension for embedding {name} is invalid, its value shold be in "
            f"{list(listed or sorted(model.dimensions))}: parameters.dimension"
        )
    return value


def choice(parameters: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """Return a parameter that has a few values, the first being the default."""
    value = parameters.get(name)
    if value is None:
        return allowed[0]
    if value not in allowed:
        message = f"Required parameter({name}) missing or invalid, please check the request parameters."
        raise invalid(message, algorithm=False)
    return value


def manner(call: Call, model: Model) -> None:
    """Refuse a call that waits for an answer where the model makes none at once, or the other way about."""
    asynchronous = call.headers.get("x-dashscope-async", "").lower() == "enable"
    if asynchronous and not isinstance(model, AsyncModel):
        raise named("AccessDenied", "Current user api does not support asynchronous calls.")
    if not asynchronous and isinstance(model, AsyncModel):
        raise named("AccessDenied", "current user api does not support synchronous calls.")
