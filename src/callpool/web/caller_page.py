"""The page at `/` and its bundle, with the headers that keep it to itself."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

BUNDLE = Path(__file__).parent / "static" / "bundle"
ASSETS = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
"""The files that are served, with the types that browsers insist on: a system's own table may differ."""
LIVEKIT_URL_MARK = "{{ livekit_url }}"

NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>callpool</title></head>
<body><h1>The page is not built yet</h1>
<p>Run <code>make page</code> in the project's folder, then load this page again.</p></body></html>
"""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "callpool",
}


@dataclass(frozen=True)
class CallerPage:
    """Serves the bundle that `python -m callpool.web.build` made."""

    livekit_url: str
    bundle: Path = BUNDLE

    async def index(self, _request: web.Request) -> web.Response:
        """The page; 503 with what to do while there is no bundle."""
        try:
            text = (self.bundle / "index.html").read_text()
        except FileNotFoundError:
            return web.Response(status=503, text=NOT_BUILT, content_type="text/html")
        text = text.replace(LIVEKIT_URL_MARK, html.escape(self.livekit_url, quote=True))
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-cache"})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """One file of the bundle."""
        path = self.bundle / request.match_info["name"]
        if path.name not in ASSETS or not path.is_file():
            raise web.HTTPNotFound
        headers = {"Cache-Control": "no-cache", "Content-Type": ASSETS[path.name]}
        return web.FileResponse(path, headers=headers)

    async def protect(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give every answer the security headers. A signal handler for aiohttp."""
        response.headers.update(HEADERS)
        response.headers["Content-Security-Policy"] = _policy(self.livekit_url)
        if request.path.startswith("/api/"):
            response.headers["Cache-Control"] = "no-store"


def _policy(livekit_url: str) -> str:
    """Own scripts and styles, and connections to this server and the LiveKit server: nothing else."""
    parts = urlsplit(livekit_url)
    secure = "s" if parts.scheme in ("wss", "https") else ""
    livekit = f"ws{secure}://{parts.netloc} http{secure}://{parts.netloc}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {livekit}",
            "media-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
