"""Debian's Chromium, and what every page of ours must do in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "console"
"""Pictures that are kept of a run."""
WIDTHS = (1280, 390)
PATIENCE_MS = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; skipped where it is not installed (`make system` does)."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("got no `chromium` in PATH; run `make system`")
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, *, width: int = 1280, height: int = 900, scheme: str = "light"
) -> Iterator[Page]:
    """Open the page and wait until it has asked once; nothing that it says to the browser's console is well."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        page.wait_for_selector("body[data-looked]")
        yield page
        assert complaints == []
    finally:
        context.close()


def keep(page: Page, name: str, *, whole: bool = True) -> Path:
    """Keep a picture of the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=str(path), full_page=whole)
    return path
