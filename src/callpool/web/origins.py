"""Which pages may start calls.

A browser sends the Origin of the page with every POST; programs such as curl send none and are let in. A
page of this server names the same host in Origin and Host. That alone would also let in a foreign page whose
name was made to point at this machine (DNS rebinding), so a server that listens on loopback answers only to
loopback names and to the hosts of `CALLPOOL_WEB_ALLOWED_ORIGINS`; behind a reverse proxy on the same machine,
the public origin goes there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from callpool.checks import origin
from callpool.errors import SettingError
from callpool.setting_groups import Web
from callpool.web.refusal import refusal, shown

VARIABLE = "CALLPOOL_WEB_ALLOWED_ORIGINS"
PREFLIGHT_S = 600
"""How long a browser may remember what a foreign page is allowed to send."""

USUAL_PORTS = {"http": 80, "https": 443}

EXPECTED = "origins as browsers send them, such as https://shop.example, separated by commas"

REQUEST_HEADERS = "content-type, traceparent, x-callpool-caller"


@dataclass(frozen=True)
class Origins:
    """Judges the Origin and Host headers of requests that start calls."""

    allowed: frozenset[str]
    """Origins in the form in which browsers send them."""
    loopback: bool
    """Whether the server listens on loopback alone."""

    @classmethod
    def of(cls, settings: Web) -> Origins:
        """Raises SettingError for an allowed origin that no browser would send."""
        return cls(_normal(settings.allowed_origins), loopback=is_loopback(settings.host))

    def judge(self, request: web.Request) -> None:
        """Raises the refusal (403) of a request from elsewhere."""
        if self.loopback and not self._own_host(request.host):
            reason = (
                f"Host is {shown(request.host)}: expected a loopback name, or a host listed in {VARIABLE}"
            )
            raise refusal(web.HTTPForbidden, reason)
        sender = request.headers.get("Origin")
        if sender is None or sender.lower() in self.allowed or _host_of(sender) == request.host.lower():
            return
        raise refusal(
            web.HTTPForbidden,
            f"Origin is {shown(sender)}: calls start from this server's own page or an origin in {VARIABLE}",
        )

    async def share(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let pages of the allowed origins, and no others, read the answer. A signal handler for aiohttp."""
        response.headers.add("Vary", "Origin")
        sender = request.headers.get("Origin", "")
        if sender.lower() in self.allowed:
            response.headers["Access-Control-Allow-Origin"] = sender
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "POST"
                response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)

    def _own_host(self, host: str) -> bool:
        named = any(_host_of(entry) == host.lower() for entry in self.allowed)
        return named or is_loopback(_name(host))


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _normal(origins: Iterable[str]) -> frozenset[str]:
    for entry in origins:
        if origin(entry) is not None or not _is_sent(entry.lower().rstrip("/")):
            raise SettingError(VARIABLE, entry, EXPECTED)
    return frozenset(entry.lower().rstrip("/") for entry in origins)


def _is_sent(entry: str) -> bool:
    """Whether browsers write an origin in this way: no user, and no port where it is the usual one."""
    parts = urlsplit(entry)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, USUAL_PORTS[parts.scheme]) else f":{parts.port}"
    return entry.isascii() and entry == f"{parts.scheme}://{name}{port}"


def _host_of(sender: str) -> str | None:
    """`name:port` of an origin, as the Host header has it; None for `null` and other nonsense."""
    try:
        parts = urlsplit(sender.lower())
    except ValueError:
        return None
    return parts.netloc if parts.scheme in ("http", "https") and not parts.path else None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
