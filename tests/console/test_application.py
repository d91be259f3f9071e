"""The console's page over HTTP: whom it answers, with what around it, and what becomes of what others wrote."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.budget.price import Price
from fairlead.console import picture
from fairlead.console.application import application
from fairlead.console.observer import Observer
from fairlead.console.picture import Picture
from fairlead.errors import StateError

STATIC = Path(__file__).resolve().parents[2] / "operator" / "fairlead" / "console" / "static"
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}'


class Written:
    """A source that says what it was given, or fails."""

    def __init__(self, shown: Picture | None) -> None:
        self.shown = shown
        self.metrics = HttpGatewayMetrics()

    async def look(self) -> Picture:
        if self.shown is None:
            raise StateError("the folder is gone")
        return self.shown

    async def gateways(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    async def prices(self) -> Mapping[str, Price]:
        return {}


def ask(
    path: str = "/", *, shown: Picture | None = None, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    async def story() -> tuple[int, Mapping[str, str], str]:
        made = application(Observer(Written(shown or Picture(source="here"))), {"console.test:1"})
        async with TestClient(TestServer(made)) as client:
            answer = await client.request(method, path, headers={"Host": "console.test:1", **(headers or {})})
            return answer.status, dict(answer.headers), await answer.text()

    return asyncio.run(story())


@pytest.mark.parametrize("host", ["evil.test", "evil.test:1", "console.test", "console.test:1.evil.test", ""])
@pytest.mark.parametrize("path", ["/", "/view", "/static/console.js"])
def test_another_name_for_this_machine_is_refused(host: str, path: str) -> None:
    status, _, text = ask(path, headers={"Host": host})
    assert (status, "here" in text) == (421, False)


def test_a_question_of_another_page_is_refused() -> None:
    assert ask("/view", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask("/view", headers={"Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/view", "/static/console.js"])
def test_nothing_can_be_written(method: str, path: str) -> None:
    assert ask(path, method=method)[0] == 405


@pytest.mark.parametrize("path", ["/", "/view", "/static/console.css", "/nowhere"])
def test_a_browser_runs_our_own_files_only(path: str) -> None:
    _, headers, _ = ask(path)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/../application.py", "/static/VENDORED.md", "/static/%2e%2e/server.py", "/x"])
def test_no_other_file_is_there(path: str) -> None:
    assert ask(path)[0] == 404


def test_what_others_wrote_is_text() -> None:
    endpoint: dict[str, Any] = {
        "provider": HOSTILE,
        "endpoint": "e",
        "region": "us",
        "state": "Down",
        "share": "0%",
        "since": HOSTILE,
        "message": HOSTILE,
        "reason": None,
        "used": True,
    }
    known = picture.endpoints([endpoint], [True])
    ladder = {"names": HOSTILE, "further": 0, "weight": "100%", "last": HOSTILE, "shadow": HOSTILE, "left": 0}
    ladders = [(HOSTILE, "us", {**ladder, "rungs": picture.rungs([f"{HOSTILE}/e/m"], known)})]
    shown = Picture(
        source=HOSTILE,
        alerts=[HOSTILE],
        regions=[
            {
                "name": "us",
                "geo": HOSTILE,
                "address": HOSTILE,
                "state": HOSTILE,
                "well": False,
                "endpoints": known,
                "serves": picture.serving("us", ladders),
            }
        ],
        routes=picture.routes(ladders),
        endpoints=known,
        failing=[{"subject": HOSTILE, "message": HOSTILE}],
        refusals=[{"subject": HOSTILE, "where": HOSTILE, "message": HOSTILE}],
        money=HOSTILE,
    )
    _, _, text = ask(shown=shown)
    assert text.count("&lt;script&gt;") > 8
    assert "<script>alert" not in text
    assert "49" not in re.sub(r"\d\d:\d\d:\d\d", "", text)


def test_the_page_has_nothing_inline() -> None:
    _, _, text = ask()
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>|javascript:", text)


def test_a_source_that_fails_is_told_beside_what_was_there() -> None:
    async def story() -> list[str]:
        source = Written(Picture(source="here"))
        observer = Observer(source)
        made = application(observer, {"console.test:1"})
        async with TestClient(TestServer(made)) as client:
            found = []
            for shown in (source.shown, None):
                source.shown = shown
                observer._looked_s = float("-inf")
                answer = await client.get("/view", headers={"Host": "console.test:1"})
                found.append((await answer.json())["verdict"])
        return found

    assert asyncio.run(story()) == ["All is well", "what follows is old: the folder is gone"]


def test_what_is_not_ours_is_what_it_says() -> None:
    rows = re.findall(r"^\| `(\S+)` \|.* `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == {path.name for path in STATIC.glob("uPlot*min*")}
    for name, digest in rows:
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_both_arms_stand_side_by_side_whatever_is_known_of_them() -> None:
    stable = {"requests": 90, "failed": 0, "errorRate": "0%", "finishReasons": [{"reason": "stop", "share": "100%"}]}
    rollout = {
        "route": "t/chat",
        "phase": "Progressing",
        "reason": "Started",
        "step": 1,
        "steps": 2,
        "traffic": "10%",
        "shadow": "0%",
        "stable": "p/old",
        "candidate": "p/new",
        "since": "2026-01-01T00:00:00Z",
        "verdicts": [{"outcome": "Failed", "message": "7 of 16", "at": "2026-01-01T00:00:00Z"}],
        "degraded": False,
        "progress": {"stable": stable, "candidate": {"requests": 10, "failed": 1}, "waitsFor": ""},
    }
    _, _, text = ask(shown=Picture(source="x", rollouts=[rollout]))
    cells = re.findall(r'<th scope="row">([^<]+)</th><td>([^<]*)</td><td>([^<]*)</td>', text.replace("\n", ""))
    assert ("Requests", "90", "10") in cells
    assert ("Error rate", "0%", "-") in cells
    assert ("Ended with", "stop 100%", "-") in cells
    assert "7 of 16" in text


def test_money_is_shown_exactly_enough() -> None:
    spender = picture.spender("t/a", spent=0.00005, limit=5.0, stage="Notify")
    policy = {"name": "t/p", "limit": 5.0, "each": "each", "resets": None, "note": "", "spenders": [spender]}
    saved = {
        "route": "t/chat",
        "baseline": "p/e/m",
        "spentUSD": "1.50",
        "baselineUSD": "1.25",
        "savedUSD": "-0.25",
        "estimatedUSD": "0.10",
        "since": "2026-11-01T00:00:00Z",
    }
    shown = picture.budgets([policy], [saved], [{"who": "t/free", "spent": None}])
    _, _, text = ask(shown=Picture(source="x", budgets=shown))
    for amount in ("$5.00 each, never resets", "$0.00005", "-$0.25", "($0.10 estimated)", "Notify", "<li>t/free</li>"):
        assert amount in text, amount
