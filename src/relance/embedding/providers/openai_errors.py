"""What a refusal by an OpenAI-compatible service means for the caller; services differ, so this is by experience."""

from __future__ import annotations

from relance.embedding.providers.refusals import Refusal, error_of, kind_of
from relance.errors import RelanceError

__all__ = ["error_for"]

_ACCOUNT = " Check the key (OPENAI_API_KEY or embedding.api_key) and the account."


def error_for(no: Refusal, name: str, *, host: str, advice: str) -> RelanceError:
    """Turn a refusal into the error that tells the caller what to do.

    Args:
        no: the refusal, its message fit to be shown.
        name: model and address.
        host: of the service; at OpenAI's own `insufficient_quota` means an empty account, others use the word for
            rates.
        advice: how the address is probably written.
    """
    openai = host == "api.openai.com"
    empty = no.has("arrearage") or (openai and no.has("insufficient_quota"))
    # LM Studio says so with status 200.
    nowhere = no.status == 404 or "unexpected endpoint" in no.message.lower()
    kind = "configuration" if nowhere else kind_of(no)
    if empty or no.has("invalid_api_key") or "api key not valid" in no.message.lower():
        kind = "account"
    elif no.has("model_not_found") and kind not in {"account", "denied"}:
        kind = "configuration"
    what = ""
    if kind in {"account", "denied"}:
        what = _ACCOUNT
    elif kind == "configuration" or no.status == 405:
        what = f" {advice[0].upper()}{advice[1:]}."
        if no.has("model_not_found"):
            what = " Check embedding.model."
    return error_of(kind, f"{name} said ({no.status}): {no.message.rstrip('.')}.{what}", no)
