"""What an OpenAI-compatible service has turned out to refuse besides texts: learnt once a process, not per request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from relance.embedding.providers.refusals import Refusal

__all__ = ["Form", "Habits", "habits_of"]

# A refusal of a parameter; LiteLLM and others answer with 500 to it.
_NAMED = frozenset({400, 406, 415, 422, 424, 500, 501})
_UNNAMED = frozenset({400, 415, 422, 501})


@dataclass(slots=True, frozen=True)
class Form:
    """Which parameters a request has besides model and texts.

    Attributes:
        encoding: `encoding_format`: base64, float, or empty to leave it out.
        dimensions: whether the length of the vectors is asked for.
    """

    encoding: str = "base64"
    dimensions: bool = True

    def without(self, no: Refusal) -> Form | None:
        """Return a form without what a refusal names, None where it names nothing of it."""
        message = no.message.lower()
        if no.status not in _NAMED:
            return None
        if self.encoding and any(word in message for word in ("encoding_format", "encoding format", "base64")):
            return replace(self, encoding="float" if self.encoding == "base64" else "")
        if self.dimensions and any(word in message for word in ("dimension", "matryoshka")):
            return replace(self, dimensions=False)
        return None


@dataclass(slots=True)
class Habits:
    """What is known of one model at one address.

    Attributes:
        form: that it takes, as far as is known.
        proven: whether it has taken it.
    """

    form: Form
    proven: bool = False

    def next(self, form: Form, no: Refusal, *, of_request: bool) -> Form | None:
        """Say what to try after a form was refused; None where the form is not why.

        `of_request`: whether it may be about what was sent, and not about the account or the model.
        """
        named = form.without(no)
        if named is None and of_request and not self.proven and form.encoding and no.status in _UNNAMED:
            # Some say only that the request is wrong. The encoding is what most of them know nothing of.
            return replace(form, encoding="")
        return named

    def learn(self, form: Form) -> None:
        """Keep a form that was taken."""
        self.form, self.proven = form, True


@cache
def habits_of(url: str, model: str) -> Habits:
    """Return what is known of a model at an address, by everybody in this process."""
    del url, model  # they are what it is remembered by
    return Habits(Form())
