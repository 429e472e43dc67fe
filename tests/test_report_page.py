"""The page in a real browser without network: it asks for nothing, and works by mouse, keyboard, phone and printer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cowbench.report import assembly, page
from tests.report_cases import CASES, results, trial

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser

POLICIES = [f"policy_{letter}" for letter in "abcdefghij"]
ROWS = [
    *(trial(policy, f"w{n}", seed) for policy in POLICIES for n in range(9) for seed in range(2)),
    *(trial("leaky", f"w{n}", seed, leaks=3, torn_snapshots=1) for n in range(9) for seed in range(2)),
    *(trial("oracle", f"w{n}", seed, sees_truth=1) for n in range(9) for seed in range(2)),
]
AXE = Path(os.environ.get("COWBENCH_AXE") or "~/.cache/cowbench/node_modules/axe-core/axe.min.js").expanduser()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("COWBENCH_BROWSER", "/usr/bin/chromium")
    if not Path(path).exists() and not os.environ.get("CI"):
        pytest.skip("no Chromium; set COWBENCH_BROWSER to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a page for each case and return them by name."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for number, (name, rows) in enumerate({"usual": ROWS, **CASES}.items()):
        found[name] = folder / f"{number}.html"
        found[name].write_text(page.render(assembly.build(results(rows))), encoding="utf-8")
    return found


class Tab:
    """An open page that notes what it asks for and complains about."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            offline=True, **{"viewport": {"width": 1300, "height": 900}} | options
        )
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        address = self.page.url.partition("#")[0]
        self.context.close()
        if kind is None:
            assert self.said == []
            assert self.asked == [address]


@pytest.mark.parametrize("name", ["usual", *CASES])
@pytest.mark.parametrize("width", [1300, 400])
def test_nothing_is_asked_no_error_is_said_and_the_page_is_no_wider_than_the_screen(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    with Tab(browser, files[name], viewport={"width": width, "height": 850}) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("h2").count() >= 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_and_paper_follow_the_scheme_in_text_and_figures(
    browser: Browser, files: dict[str, Path], scheme: Any
) -> None:
    with Tab(browser, files["usual"], color_scheme=scheme) as tab:
        ink, paper = (tab.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
        assert (brightness(ink) > brightness(paper)) == (scheme == "dark")
        assert tab.evaluate("getComputedStyle(document.querySelector('svg text')).fill") == ink


def test_without_its_script_every_metric_can_be_read(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"], java_script_enabled=False) as tab:
        choices = tab.locator("#matrix .choice")
        assert [choices.nth(n).is_visible() for n in range(3)] == [True, True, True]
        assert tab.locator("#matrix h3").all_inner_texts() == ["Copies", "Needless copies", "Fork latency"]
        assert tab.locator("button").count() == 0  # none that would do nothing
        assert tab.locator("g.mark > title").first.text_content()


def test_the_switch_shows_one_metric_by_mouse_and_by_keyboard(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"]) as tab:
        switch = tab.locator("#matrix .switch")
        shown = switch.locator("table:visible caption")
        assert shown.all_inner_texts() == ["Copies: pages copied, needed or not"]
        switch.get_by_text("Fork latency", exact=True).first.click()
        assert shown.count() == 1
        assert "microseconds" in shown.inner_text()
        tab.keyboard.press("ArrowLeft")
        assert "Needless copies" in shown.inner_text()


def test_columns_sort_by_number_and_by_name(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"]) as tab:
        table = tab.locator("#overview-ranking")
        head = table.get_by_role("button", name="copies", exact=True)
        head.click()
        column = table.locator("thead th").all_inner_texts().index("copies") + 1
        numbers = [float(n.replace(",", "")) for n in table.locator(f"tbody td:nth-child({column})").all_inner_texts()]
        assert numbers == sorted(numbers, reverse=True)
        assert table.locator("[aria-sort=descending]").inner_text() == "copies"
        table.get_by_role("button", name="policy").press("Enter")
        names = table.locator("tbody th").all_inner_texts()
        assert names == sorted(names)


def test_rows_can_be_filtered(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"]) as tab:
        table = tab.locator("#overview-ranking")
        table.get_by_label("Rows with").fill("LEAKY")
        assert table.locator("tbody th:visible").all_inner_texts() == ["leaky"]
        assert table.get_by_role("status").inner_text() == "1 of 12"
        table.get_by_label("Rows with").fill("")
        assert table.locator("tbody tr:visible").count() == 12


def test_pointing_at_a_mark_says_its_numbers_and_lights_its_policy_everywhere(
    browser: Browser, files: dict[str, Path]
) -> None:
    with Tab(browser, files["usual"]) as tab:
        mark = tab.locator("#overview g.mark[data-group=policy_c]").last
        mark.hover()
        hint = tab.locator("#hint")
        assert hint.is_visible()
        assert hint.inner_text() == mark.get_attribute("data-hint")
        assert re.fullmatch(r"policy_c: [\d,.]+ copies", hint.inner_text())
        groups = tab.evaluate("[...document.querySelectorAll('.lit')].map(part => part.dataset.group)")
        assert set(groups) == {"policy_c"}
        assert len(groups) > 30
        tab.mouse.move(5, 5)
        assert not hint.is_visible()
        assert tab.locator(".lit").count() == 0


def test_arrow_keys_go_through_the_marks_of_a_figure(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"]) as tab:
        canvas = tab.locator("#overview-picture .canvas")
        canvas.focus()
        tab.keyboard.press("ArrowRight")
        first = tab.locator("#hint").inner_text()
        tab.keyboard.press("ArrowRight")
        assert tab.locator("#hint").inner_text() != first
        tab.keyboard.press("ArrowLeft")
        assert tab.locator("#hint").inner_text() == first
        tab.keyboard.press("ArrowLeft")
        hints = canvas.locator("g.mark")
        assert tab.locator("#hint").inner_text() == hints.last.get_attribute("data-hint")
        tab.keyboard.press("Escape")
        assert not tab.locator("#hint").is_visible()


def test_whatever_has_the_focus_shows_it(browser: Browser, files: dict[str, Path]) -> None:
    outlined = "e => [e, e.parentElement].some(part => getComputedStyle(part).outlineStyle === 'solid')"
    with Tab(browser, files["usual"]) as tab:
        for _ in range(40):
            tab.keyboard.press("Tab")
            focused = tab.evaluate_handle("document.activeElement")
            assert focused.evaluate(outlined), focused.evaluate("e => e.outerHTML.slice(0, 200)")


def test_a_table_and_all_rows_are_downloaded_without_network(
    browser: Browser, files: dict[str, Path], tmp_path: Path
) -> None:
    import pandas as pd

    tab = Tab(browser, files["usual"], accept_downloads=True)
    with tab.page.expect_download() as started:
        tab.page.locator("#matrix-copies .download").click()
    started.value.save_as(tmp_path / started.value.suggested_filename)
    table = pd.read_csv(tmp_path / "matrix-copies.csv", index_col="workload")
    assert table.loc["w3", "leaky"] == sum(trial("leaky", "w3", seed)["copies"] for seed in range(2)) / 2
    with tab.page.expect_download() as started:
        tab.page.get_by_role("link", name="rows.csv.xz").click()
    started.value.save_as(tmp_path / "rows.csv.xz")
    assert len(pd.read_csv(tmp_path / "rows.csv.xz")) == len(ROWS)
    assert tab.said == []
    tab.context.close()


def test_print_shows_everything_and_no_controls(browser: Browser, files: dict[str, Path], tmp_path: Path) -> None:
    with Tab(browser, files["usual"]) as tab:
        tab.emulate_media(media="print")
        assert not tab.get_by_role("navigation").is_visible()
        assert not tab.locator("#matrix fieldset").is_visible()
        assert tab.locator("#matrix table:visible").count() == 3
        assert tab.get_by_text("cowbench run --store again.db").last.is_visible()
        printed = tab.pdf(path=tmp_path / "print.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    import pypdf

    text = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "print.pdf").pages)
    assert "Fork latency: mean modelled time" in text
    assert "again.db" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["one seed", "all failed"])
def test_axe_finds_no_serious_fault(browser: Browser, files: dict[str, Path], name: str, scheme: Any) -> None:
    if not AXE.exists() and not os.environ.get("CI"):
        pytest.skip("no axe-core; npm install --prefix ~/.cache/cowbench axe-core, or set COWBENCH_AXE to axe.min.js")
    tab = Tab(browser, files[name], color_scheme=scheme, bypass_csp=True)
    tab.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    tab.page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    found = tab.page.evaluate("axe.run()")
    tab.context.close()
    faults = [
        f"{fault['id']}: {fault['help']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []
    assert len(found["passes"]) > 20


def test_a_deep_link_leads_to_its_table(browser: Browser, files: dict[str, Path]) -> None:
    with Tab(browser, files["usual"]) as tab:
        for link in tab.locator("main a[href^='#'], nav a").all():
            target = (link.get_attribute("href") or "")[1:]
            assert tab.locator(f"[id='{target}']").count() == 1, target


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))
