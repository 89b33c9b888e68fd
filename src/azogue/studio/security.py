"""Who is answered: this machine's browser, at this address, with this run's token. Everybody else gets 403.

What each check is against:

- *Host*: DNS rebinding, where a foreign page's own name is made to point to 127.0.0.1.
- *Origin* and *Sec-Fetch-Site*: foreign pages that send requests here, and foreign frames and scripts.
- *Token*: other users and programs of this machine. It travels in the fragment of the address, which browsers send to
  nobody (no Referer, no log), and from there in a header, which a foreign page cannot set; never in a cookie, which
  would go to every port of this host.
- *Content-Security-Policy*: markup that came from data; only this server's own files run, and nothing is fetched
  elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The header that carries the token, and where it is asked for.
TOKEN, GUARDED = "x-azogue-token", "/api/"
#: Bytes of a request that is no upload.
SMALL = 2**20
#: What every answer says.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def new_token() -> str:
    """256 random bits, for one run."""
    return secrets.token_urlsafe(32)


class Guard:
    """Refuses requests that are not from this run's page, and requests that are too large.

    Parameters
    ----------
    app : ASGI application
    token : str
    port : int
        Of the address that the browser was given.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self._token = app, token.encode()
        self.hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
        self.origins = frozenset(f"http://{host}" for host in self.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, pass on, or refuse."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self.refusal(Headers(scope=scope), scope["path"])
        if refusal is not None:
            await PlainTextResponse(refusal, 403)(scope, receive, sealed)
            return
        await self.app(scope, receive, sealed)

    def refusal(self, headers: Headers, path: str) -> str | None:
        """Why a request is not answered, in one line; None if it is."""
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self.hosts]:
            return "the studio answers at its own address only; open the one that azogue studio printed\n"
        if any(origin not in self.origins for origin in headers.getlist("origin")):
            return "another page asked; the studio answers its own page only\n"
        if not path.startswith(GUARDED):
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "another page asked; the studio answers its own page only\n"
        if not hmac.compare_digest(headers.get(TOKEN, "").encode(), self._token):
            return "the token is missing or wrong; open the address that azogue studio printed\n"
        return None
