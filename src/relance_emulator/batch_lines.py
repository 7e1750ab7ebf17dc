"""The lines of a batch's files: requests that come in, results that go out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from relance_emulator.models import MODELS, TextModel
from relance_emulator.wire import as_json

__all__ = ["read_requests", "result"]

MOST_LINES = 50_000


def result(line: Any, response: tuple[int, str, bytes] | None, code: str = "", message: str = "") -> bytes:
    """Write one line of an output or error file.

    Args:
        line: the request.
        response: status, request id and body; None if there was none.
        code: what went wrong, if something did.
        message: the same in words.
    """
    answer = b"null"
    if response:
        answer = b'{"status_code":%d,"request_id":"%b","body":%b}' % (response[0], response[1].encode(), response[2])
    error = as_json({"code": code, "message": message} if code else None)
    return b'{"id":"%b","custom_id":%b,"response":%b,"error":%b}' % (
        str(uuid4()).encode(),
        as_json(line["custom_id"]),
        answer,
        error,
    )


def read_requests(content: bytes, endpoint: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """Read an input file; returns its requests, and what is wrong with it in the form of the API."""
    errors: list[dict[str, Any]] = []
    requests: list[Any] = []
    models: set[str] = set()
    names: set[str] = set()
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        line = _parsed(text)
        if wrong := _wrong(line, endpoint, names, models):
            errors.append({**dict(zip(("code", "message", "param"), wrong, strict=True)), "line": number})
        else:
            names.add(line["custom_id"])
            models.add(line["body"]["model"])
            requests.append(line)
    if not requests and not errors:
        errors.append({"code": "empty_file", "message": "The file holds no requests.", "param": None, "line": None})
    if len(requests) > MOST_LINES:
        message = f"A file may hold at most {MOST_LINES} requests."
        errors.append({"code": "too_many_lines", "message": message, "param": None, "line": None})
    return requests, errors


def _parsed(text: bytes) -> Any:
    from pydantic_core import from_json

    try:
        return from_json(text)
    except ValueError:
        return None


def _wrong(line: Any, endpoint: str, names: set[str], models: set[str]) -> tuple[str, str, str | None] | None:
    """Return code, message and parameter of what is wrong with a line, given the names and models of those before.

    `url_not_found` and its words are recorded; the other codes are documented or OpenAI's, their words our own.
    """
    if not isinstance(line, dict) or not isinstance(line.get("body"), dict):
        return "invalid_json_line", "This line is not parseable as valid JSON.", None
    name, url, model = line.get("custom_id"), line.get("url"), line["body"].get("model")
    unsupported = "is not supported by the Batch API."
    checks = [
        (
            isinstance(name, str) and name,
            ("missing_required_parameter", "Missing required parameter: 'custom_id'.", "custom_id"),
        ),
        (str(name) not in names, ("duplicate_custom_id", f"The custom_id '{name}' is not unique.", "custom_id")),
        (url == endpoint, ("url_not_found", f"The provided url '{url}' {unsupported}", "url")),
        (
            isinstance(MODELS.get(str(model)), TextModel),
            ("model_not_found", f"The provided model '{model}' {unsupported}", "body.model"),
        ),
        (
            not models or str(model) in models,
            ("mismatched_model", "All requests of a batch have to be for the same model.", "body.model"),
        ),
    ]
    return next((wrong for fine, wrong in checks if not fine), None)
