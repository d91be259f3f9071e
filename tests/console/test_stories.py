"""What is hard to show, in a real browser: it fits, it does not lie, a keyboard and a screen reader get through it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
import stories
from aiohttp import web
from browser import WIDTHS, chromium, keep, opened
from playwright.sync_api import Browser

from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.budget.price import Price
from fairlead.console import picture
from fairlead.console.application import application
from fairlead.console.observer import Observer
from fairlead.console.picture import Picture
from fairlead.errors import ClusterError

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(240)]
LIMIT = 5.0
WIDER = """() => [...document.querySelectorAll("main *")]
  .filter((one) => !one.closest(".scroll") && one.clientWidth && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.className || one.tagName)"""
"""What is wider than its place."""


class Drawn:
    """A source that shows one picture, or says why it cannot."""

    def __init__(self) -> None:
        self.shown: Picture | None = None
        self.metrics = HttpGatewayMetrics()

    async def look(self) -> Picture:
        if self.shown is None:
            raise ClusterError("no cluster to speak to: connection refused")
        return self.shown

    async def gateways(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    async def prices(self) -> Mapping[str, Price]:
        return {}


class Page:
    """The page of one source, served by a thread of its own."""

    def __init__(self) -> None:
        self.source, self.url = Drawn(), ""
        self._observer = Observer(self.source)
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def show(self, shown: Picture | None) -> None:
        self.source.shown = shown
        self._observer._looked_s = float("-inf")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        hosts: set[str] = set()
        runner = web.AppRunner(application(self._observer, hosts))

        async def start() -> None:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[-1][1]
            hosts.add(f"127.0.0.1:{port}")
            self.url = f"http://127.0.0.1:{port}/"
            self._ready.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with Page() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def spent() -> dict[str, Any]:
    """A budget that is used up, one nobody enforces, and savings, some of them negative."""
    spenders = [
        picture.spender("team-web/agent-7", spent=5.25, limit=LIMIT, stage=None),
        picture.spender("team-web/agent-8", spent=4.9, limit=LIMIT, stage="Downgrade"),
        picture.spender("team-web/agent-9", spent=4.1, limit=LIMIT, stage="Notify"),
        picture.spender(f"team-web/{stories.LONG}", spent=0.000012, limit=LIMIT, stage=None),
    ]
    policy = {"name": "team-web/agents", "limit": LIMIT, "each": "each", "resets": "2026-12-01T00:00:00Z", "note": ""}
    saved = {
        "route": "team-web/chat",
        "baseline": f"p/eu/{'m' * 120}",
        "spentUSD": "12.50",
        "baselineUSD": "125.00",
        "savedUSD": "112.50",
        "estimatedUSD": "0.10",
        "since": "2026-11-01T00:00:00Z",
    }
    dearer = {**saved, "route": "team-web/code", "baselineUSD": "10.00", "savedUSD": "-2.50", "estimatedUSD": "0.00"}
    kept = {**saved, "route": f"team-web/{stories.LONG}", "requests": 2_000_000, "hits": 999_999}
    return picture.budgets(
        [
            {**policy, "spenders": spenders},
            {**policy, "name": "team-web/off", "note": "FailingOpen: x", "spenders": []},
        ],
        [saved, dearer],
        [{"who": "team-web/free", "spent": 0.5}],
        [kept],
    )


@pytest.mark.parametrize("look", [(width, scheme) for width in WIDTHS for scheme in ("light", "dark")])
@pytest.mark.parametrize("story", stories.ALL)
def test_it_fits(page: Page, browser: Browser, story: str, look: tuple[int, str], tmp_path: Path) -> None:
    width, scheme = look
    stage = stories.ALL[story]()
    shown = stage.in_cluster() if story in ("plain", "many") else stage.up(tmp_path / "state", budgets=spent())
    page.show(shown)
    with opened(browser, page.url, width=width, scheme=scheme) as seen:
        assert seen.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.evaluate(WIDER) == []
        keep(seen, f"story-{story}-{scheme}-{width}")


def test_a_source_that_cannot_be_asked_says_so_before_all_else(page: Page, browser: Browser) -> None:
    page.show(None)
    with opened(browser, page.url) as seen:
        assert "connection refused" in seen.get_by_role("status").inner_text()
        keep(seen, "story-unreachable-light-1280")


def test_what_has_the_focus_keeps_it_when_the_page_changes(page: Page, browser: Browser, tmp_path: Path) -> None:
    page.show(stories.plain().up(tmp_path / "well"))
    with opened(browser, page.url) as seen:
        seen.locator("#routes summary").first.focus()
        page.show(stories.all_down().up(tmp_path / "down"))
        seen.wait_for_selector("#routes .state.is-ejected")
        assert seen.evaluate("document.activeElement.textContent").startswith("team-web/chat")


def test_a_keyboard_reaches_what_scrolls_and_what_opens_in_the_order_of_the_page(page: Page, browser: Browser) -> None:
    page.show(stories.many().in_cluster())
    with opened(browser, page.url, width=390) as seen:
        reached, said = [], ""
        for _ in range(60):
            seen.keyboard.press("Tab")
            reached.append(seen.evaluate("document.activeElement.getBoundingClientRect().top + window.scrollY"))
            said = seen.evaluate("document.activeElement.textContent")
            if said.startswith("team-web/route-05"):
                break
        assert said.startswith("team-web/route-05")
        below = reached[1:]  # the first is the link that skips, which stands above all
        assert below == sorted(below), "the focus goes down the page"


def test_a_screen_reader_is_told_states_in_words(page: Page, browser: Browser, tmp_path: Path) -> None:
    page.show(stories.every_state().up(tmp_path / "state", budgets=spent()))
    with opened(browser, page.url) as seen:
        said = seen.locator("body").aria_snapshot()
    for words in ("Down 0%", "Recovering 10%", "Suspect", "Drained 0%", "Ejected", "last resort", "Used up"):
        assert words in said, words
    assert 'region "Ladders of team-web/chat"' in said
    assert 'meter "team-web/agent-7: share of the limit"' in said
