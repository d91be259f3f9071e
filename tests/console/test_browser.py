"""The console of a real `fairlead up`, in a real browser."""

import subprocess
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from browser import WIDTHS, chromium, keep, opened
from playwright.sync_api import Browser
from running_up import COMMAND, CREDENTIAL, SECRET_KEY, RunningUp, Site, ask, budget, provider, route, secret

from fairlead.demo.provider import SimulatedProvider

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two regions, a route with a baseline, a budget, and requests."""
    made = Site(tmp_path_factory.mktemp("site"), regions=2)
    with SimulatedProvider(models=("sparrow", "heron"), keys=(CREDENTIAL,)) as simulated:
        made.write("provider.yaml", provider(simulated.base_url, "sparrow", "heron"), secret("sim", key=CREDENTIAL))
        made.write("route.yaml", route("chat", "sparrow", baseline={"provider": "sim", "model": "heron"}))
        made.write("budget.yaml", budget("5"))
        with RunningUp(made) as up:
            up.serving()
            yield made


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    command = [*COMMAND, "console", "--state", str(site.state), "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as console:
        try:
            assert console.stdout
            yield console.stdout.readline().split()[0]
        finally:
            console.terminate()
            assert console.wait(60) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_it_shows_what_is_served_and_goes_on_as_it_changes(site: Site, url: str, browser: Browser) -> None:
    with opened(browser, url) as page:
        page.wait_for_selector(".verdict.well")
        page.wait_for_function("document.title.includes('All is well')")
        assert page.locator("#regions .card").count() == 2
        assert page.locator("#routes .rungs .target").first.inner_text() == "sim/one/sparrow"
        for port in site.ports:
            ask(port)
        page.wait_for_selector("#money td:has-text('$0.00005')")
        page.wait_for_selector("#requests-told:has-text('us-east-1: ')")
        page.wait_for_selector("#chart-requests canvas")
        bad = site.write("bad.yaml", route("other", "herron"))
        page.wait_for_selector("#configuration :text('did you mean')")
        page.wait_for_selector(".verdict.ill")
        bad.unlink()
        page.wait_for_selector(".verdict.well")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_is_kept_as_a_picture(url: str, browser: Browser, width: int, scheme: str) -> None:
    with opened(browser, url, width=width, scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert keep(page, f"up-{scheme}-{width}").stat().st_size > 10_000


def test_a_keyboard_is_enough(url: str, browser: Browser) -> None:
    with opened(browser, url) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.locator("#routes summary").first.focus()
        page.keyboard.press("Space")
        assert page.locator("#routes details[open]").count() == 0
        # What a person has closed stays closed when the page looks again.
        looked = int(page.locator("body").get_attribute("data-looked") or 0)
        page.wait_for_selector(f'body[data-looked="{looked + 2}"]')
        assert page.locator("#routes details[open]").count() == 0


def test_a_screen_reader_finds_its_way(url: str, browser: Browser) -> None:
    with opened(browser, url) as page:
        page.wait_for_selector(".verdict.well")
        assert page.get_by_role("main").count() == page.get_by_role("navigation").count() == 1
        assert page.get_by_role("status").inner_text() == "All is well"
        levels = [
            int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)")
        ]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        for name in ("Requests per second", "Dollars per hour"):
            assert page.get_by_role("img", name=name).count() == 1
        assert (
            page.locator("img:not([alt]), a:not([href]), [tabindex]:not([tabindex='0']):not([tabindex='-1'])").count()
            == 0
        )
        assert page.locator("table").evaluate_all("all => all.every(t => t.querySelector('th[scope]'))")


def test_no_secret_is_in_it(url: str) -> None:
    for path in ("", "view"):
        text = httpx.get(url + path, timeout=60).text
        assert "fairlead/chat" in text
        assert CREDENTIAL not in text
        assert SECRET_KEY not in text
