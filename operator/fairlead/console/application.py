"""The page over HTTP: GET alone, for this machine alone, nothing that a browser would run but our own files."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fairlead import __version__
from fairlead.adapters.clock import SystemClock
from fairlead.console.history import CHARTS
from fairlead.console.observer import Observer
from fairlead.console.picture import Picture

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SECTIONS = (
    ("regions", "Regions"),
    ("traffic", "The last hour"),
    ("routes", "Routes"),
    ("rollouts", "Rollouts"),
    ("money", "Money"),
    ("configuration", "Configuration"),
)
"""Of the page, in their order; `traffic` is drawn by the browser."""
_FILES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "uPlot.iife.min.js": "text/javascript",
    "uPlot.min.css": "text/css",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_PLENTY_USD = 100


def application(observer: Observer, hosts: Collection[str]) -> web.Application:
    """Make the application.

    `hosts`: what the Host header may say, asked at each request; another name could lead here by an attacker's DNS.
    """

    async def page(_request: web.Request) -> web.StreamResponse:
        picture = await observer.picture()
        text = templates.get_template("page.html").render(
            picture=picture,
            sections=_sections(templates, picture),
            titles=SECTIONS,
            charts=CHARTS,
            moment=_moment(),
            version=__version__,
        )
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def view(_request: web.Request) -> web.StreamResponse:
        picture = await observer.picture()
        return web.json_response(
            {
                "verdict": picture.verdict,
                "well": picture.is_well,
                "source": picture.source,
                "moment": _moment(),
                "sections": _sections(templates, picture),
                "charts": observer.history.charts(),
            }
        )

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _FILES:
            raise web.HTTPNotFound
        content = resources.files("fairlead.console").joinpath("static", name).read_bytes()
        return web.Response(body=content, content_type=_FILES[name], charset="utf-8")

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Host", "").lower() not in hosts or len(request.headers.getall("Host", ())) != 1:
            answer: web.StreamResponse = web.Response(status=421, text="got another host, want this page's address\n")
        elif request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            answer = web.Response(status=403, text="got a question of another page\n")
        else:
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                answer = web.Response(status=error.status, text=f"{error.reason}\n", headers=_allowed(error))
        answer.headers.update(HEADERS)
        return answer

    templates = _templates()
    made = web.Application(middlewares=[guard], client_max_size=1024)
    made.router.add_get("/", page)
    made.router.add_get("/view", view)
    made.router.add_get("/static/{name}", file)
    return made


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("fairlead.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    made.filters |= {"ago": _ago, "cell": _cell, "usd": _usd}
    return made


def _sections(templates: Environment, picture: Picture) -> dict[str, Any]:
    """Render each section's body. What is in it has been escaped where it was put in."""
    return {
        name: Markup(templates.get_template(f"{name}.html").render(picture=picture))  # noqa: S704 - Jinja2's own output
        for name, _ in SECTIONS
        if name != "traffic"
    }


def _moment() -> str:
    return SystemClock().now().astimezone().strftime("%H:%M:%S")


def _cell(value: Any) -> str:
    """Write what an arm counted; a list of shares by their words."""
    if isinstance(value, list):
        return ", ".join(f"{one['reason']} {one['share']}" for one in value) or "-"
    return "-" if value is None else str(value)


def _ago(moment: str) -> str:
    """Say how long ago a moment (RFC 3339) was; what is none is shown as it is."""
    try:
        seconds = max(0, int((SystemClock().now() - datetime.fromisoformat(moment)).total_seconds()))
    except (TypeError, ValueError):
        return moment
    if seconds < _MINUTE_S:
        return "less than a minute"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _DAY_S} days"


def _usd(amount: float) -> str:
    """Write dollars: cents at least, and more digits where cents say little."""
    size = abs(amount)
    whole, _, cents = f"{size:,.{2 if size >= _PLENTY_USD else 4 if size >= 1 else 6}f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{cents.rstrip('0').ljust(2, '0')}"
