"""Who may come in: this machine's own browser, with the token that was printed."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import SecretStr

from relance.explore.headers import HEADERS
from relance.http.local_host import is_local_host

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["TokenAuth"]

_OPEN = "/static/"  # the style sheet of the page that says what is missing


class TokenAuth:
    """ASGI middleware: refuses strangers, and puts the security headers on whatever is answered."""

    def __init__(self, app: ASGIApp, token: SecretStr, port: int) -> None:
        self._app = app
        self._token = token.get_secret_value().encode()
        self._cookie = f"relance-explore-{port}"  # browsers share cookies between the ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        from starlette.requests import Request

        if scope["type"] == "lifespan":  # starting and ending, which nobody asks for from outside
            await self._app(scope, receive, send)
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in present)]
            await send(message)

        answer = self._answer(Request(scope))
        await (self._app if answer is None else answer)(scope, receive, guarded)

    def _answer(self, request: Request) -> Response | None:
        """Answer in the application's place, or not."""
        if not _is_ours(request.headers.getlist("host")):
            return refusal(421, "Not this host", "This page answers on 127.0.0.1 and localhost only.")
        if request.method not in {"GET", "HEAD"} and not _is_from_here(request):
            return refusal(403, "Not from here", "Only a button of this page itself may do that.")
        if request.url.path.startswith(_OPEN):
            return None
        if self._fits(request.query_params.get("token", "")):
            return self._enter(request)
        if _is_from_elsewhere(request) or not self._fits(request.cookies.get(self._cookie, "")):
            return self._stranger()
        return None

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)

    def _enter(self, request: Request) -> Response:
        """Hand over the cookie, and lead to the same address without the token."""
        from starlette.responses import RedirectResponse

        rest = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] != "token"]
        path = "/" + quote(request.url.path.lstrip("/\\"))  # two slashes would be another host
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, status_code=303)
        answer.set_cookie(self._cookie, self._token.decode(), httponly=True, samesite="strict", path="/")
        return answer

    def _stranger(self) -> Response:
        # After a link from another page the cookie does not count once; a link of our own brings it.
        return refusal(
            403,
            "Locked",
            "Open the address that relance explore printed in your terminal; it carries the key. "
            'If you have just done that, <a href="/">go on</a>.',
        )


def refusal(status: int, title: str, message: str) -> Response:
    """Say no, in a small page; `title` and `message` are HTML of ours, nothing a stranger sent is in them."""
    from starlette.responses import HTMLResponse

    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · relance</title><link rel="stylesheet" href="/static/explore.css">'
        f'<main class="alone"><h1>{title}</h1><p>{message}</p></main></html>',
        status_code=status,
    )


def _is_from_here(request: Request) -> bool:
    """Whether one of our own pages sends a form; their `no-referrer` makes browsers call the origin null."""
    return request.headers.get("sec-fetch-site") == "same-origin"


def _is_from_elsewhere(request: Request) -> bool:
    """Whether a page of somebody else asks: those of other ports get the cookie sent along, and a question may cost.

    Addresses that are typed, kept or opened from a program are `none`; what is no browser does not say.
    """
    return request.headers.get("sec-fetch-site") in {"same-site", "cross-site"}


def _is_ours(hosts: list[str]) -> bool:
    return len(hosts) == 1 and is_local_host(hosts[0])
