"""What a refusal by an OpenAI-compatible service means for the caller; services differ, so this is by experience."""

from __future__ import annotations

from relance.embedding.providers.refusals import Kind, Refusal, error_of, kind_of
from relance.errors import RelanceError

__all__ = ["error_for"]

ADVICE: dict[Kind, str] = {
    "account": " Check the key (OPENAI_API_KEY or embedding.api_key) and the account.",
    "configuration": " Check embedding.base_url.",
}


def error_for(no: Refusal, name: str, *, openai: bool) -> RelanceError:
    """Turn a refusal into the error that tells the caller what to do.

    Args:
        no: the refusal, its message fit to be shown.
        name: model and address.
        openai: whether it is OpenAI's own service, where `insufficient_quota` means an empty account; others use
            the word for rates.
    """
    empty = no.has("arrearage") or (openai and no.has("insufficient_quota"))
    unknown_model = no.status == 404 or no.has("model_not_found")
    kind = kind_of(no)
    if empty or no.has("invalid_api_key") or "api key not valid" in no.message.lower():
        kind = "account"
    elif unknown_model and kind != "account":
        kind = "configuration"
    advice = ADVICE.get(kind, "")
    if unknown_model and kind == "configuration":
        advice = " Check embedding.model and embedding.base_url (it usually ends in /v1)."
    return error_of(kind, f"{name} said ({no.status}): {no.message}{advice}", no)
