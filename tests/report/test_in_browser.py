"""The pages in a real Chromium, in both colour schemes and at phone width.

Screenshots land in build/screenshots/.
"""

import html
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retraining.report import index, page
from tests.browser import NEEDS_CHROMIUM, SCREENSHOTS, Tab, chromium
from tests.report import samples

VIEWS = [("light", 1100), ("dark", 1100), ("light", 360)]
# Text on what stands behind it: the first background on the way up that is not transparent (WCAG
# 2.2, 1.4.3).
CONTRAST = """() => {
  const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).map(part => channel(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour.startsWith("rgb(")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = 21, which = "";
  const said = "h1, h2, p, td, th, dt, dd, caption, span, button, a, code, footer";
  for (const node of document.querySelectorAll(said)) {
    if (!node.innerText?.trim() || !node.getClientRects().length) continue;
    const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < worst) { worst = ratio; which = node.outerHTML.slice(0, 120); }
  }
  return [worst, which];
}"""

pytestmark = NEEDS_CHROMIUM

PAGES = {
    "report-promoted": page(samples.promoted(), material=samples.material()),
    "report-kept": page(samples.of_ending("kept"), material=samples.material()),
    "report-rolled-back": page(samples.of_ending("rolled_back"), material=samples.material()),
    "report-bare": page(samples.of_ending("failed")),
    "index": index(
        samples.records(),
        hindsight=samples.hindsight(),
        reports={f"cycle-{i}": f"reports/cycle-{i}.html" for i in range(1, 31)},
        model_name="classifier",
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as it:
        yield it


def opened(browser: object, content: str, folder: Path, **context: object) -> Tab:
    """A page's text in a tab, from a file."""
    (folder / "page.html").write_text(content)
    return Tab(browser, (folder / "page.html").as_uri(), **context)


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_read_and_load_nothing_in_both_schemes_and_on_a_phone(
    browser: object, tmp_path: Path, name: str
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab = opened(browser, PAGES[name], tmp_path)
    for scheme, width in VIEWS:
        tab.page.emulate_media(color_scheme=scheme)
        tab.page.set_viewport_size({"width": width, "height": 800})
        tab.page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide == width, f"{name} scrolls sideways at {width}: {wide}"
        worst, which = tab.page.evaluate(CONTRAST)
        assert worst >= 4.5, f"contrast {worst:.1f} in the {scheme} scheme: {which}"
    assert not tab.said
    assert len(tab.asked) == 1, tab.asked


def test_names_of_strangers_run_nothing(browser: object, tmp_path: Path) -> None:
    hostile = "<script>console.log('ran')</script><img src=x onerror=console.log('ran')>"
    outcome = samples.promoted()._replace(reason=hostile)
    tab = opened(
        browser,
        page(outcome, material=replace(samples.material(), model_name=hostile)),
        tmp_path,
    )
    assert not tab.said
    assert hostile in tab.page.inner_text("dl")


def test_the_index_filters_by_ending(browser: object, tmp_path: Path) -> None:
    tab = opened(browser, PAGES["index"], tmp_path)
    tab.page.get_by_role("button", name="Rejected 4").click()
    assert tab.page.locator("tr[data-ending]:visible").count() == 4
    assert tab.page.inner_text("#shown") == "4 cycles shown"
    tab.page.get_by_role("button", name="All 30").click()
    assert tab.page.locator("tr[data-ending]:visible").count() == 30


def test_the_index_is_whole_without_its_script(browser: object, tmp_path: Path) -> None:
    tab = opened(browser, PAGES["index"], tmp_path, java_script_enabled=False)
    assert tab.page.locator("tr[data-ending]:visible").count() == 30
    assert not tab.page.locator(".filter").is_visible()


def test_the_report_reads_in_a_sandboxed_frame(browser: object, tmp_path: Path) -> None:
    """MLflow's artifact pane shows HTML so."""
    frame = (
        '<iframe sandbox="allow-scripts" width="700" height="500"'
        f' srcdoc="{html.escape(PAGES["report-promoted"])}"></iframe>'
    )
    tab = opened(browser, f"<!doctype html>{frame}", tmp_path)
    inside = tab.page.frame_locator("iframe")
    assert "v8 replaces v7" in inside.locator("h1").inner_text()
    assert inside.locator("svg[role=img]").first.is_visible()
    assert not tab.said


def test_a_picture_of_few_cycles_is_whole_on_a_phone(browser: object, tmp_path: Path) -> None:
    content = index(samples.records()[:8], hindsight={}, reports={}, model_name="classifier")
    tab = opened(browser, content, tmp_path, viewport={"width": 360, "height": 800})
    box = tab.page.locator("svg[role=img]").first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
