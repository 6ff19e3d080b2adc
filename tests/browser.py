"""Debian's Chromium for tests, and what is asked of every page: it fits, reads, and is usable by
everybody.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(__file__).resolve().parents[1] / "build" / "screenshots"
DESK, PHONE = 1200, 360
VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (DESK, PHONE)]
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(),
        reason="Debian's package chromium is not installed: the pages are not looked at",
    ),
]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that starts with nothing and asks nobody but the page's own service."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """A page in a tab, with all that its console said and all addresses that it asked for."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.page = browser.new_context(**context).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", self._note)
        self.answer = self.page.goto(address)

    def _note(self, request: Any) -> None:
        if not request.url.startswith("data:"):
            self.asked.append(request.url)

    def close(self) -> None:
        self.page.context.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds against the rules of WCAG 2.2 (A and AA) and its best practices."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
    ]


def look_at(tab: Tab, name: str, views: Sequence[tuple[str, int]] = VIEWS) -> None:
    """In each scheme and width: nothing sticks out, and axe-core finds nothing."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme, width in views:
        tab.page.emulate_media(color_scheme=scheme)
        tab.page.set_viewport_size({"width": width, "height": 800})
        tab.page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide == width, f"{name} scrolls sideways at {width}: {wide}"
        found = violations(tab.page)
        assert not found, "\n".join([f"{name}, {scheme}, {width}", *found])
