"""The page that make asv writes: in a browser without network it lists, draws and blames."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.commits import asv, git, page, regressions
from cowbench.history import files
from cowbench.history.files import Benchmark, Results
from tests.test_history import commit_file
from tests.test_history import git as in_repository

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
COPIES = Benchmark("bench_counters.Counters.track_copies", "copies", "copies-1", ("policy", "workload"))
PAGES = 1_000_000
"""A rise by one page of so many: asv alone takes it for noise."""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5, 5], []),
        ([5, 6], [(None, 1, 5, 6)]),
        ([5, 6, 5], []),
        ([6, 5], []),
        ([5, 7, 6], [(None, 1, 5, 6)]),
        ([3, 5, 5, 9], [(None, 1, 3, 5), (None, 3, 5, 9)]),
        ([9, 3, 4], [(None, 2, 3, 4)]),
    ],
)
def test_a_regression_is_a_rise_that_has_not_gone(values: list[float], expected: list[object]) -> None:
    assert regressions.rises(list(enumerate(values))) == expected


def test_a_rise_between_commits_that_were_not_measured_names_both_ends() -> None:
    assert regressions.rises([(0, 5), (4, 6)]) == [(0, 4, 5, 6)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a repository of six commits, the last of which copies one page more on zygote."""
    if "CI" not in os.environ:
        pytest.importorskip("asv_runner", reason="asv is not installed; pip install 'cowbench[asv]'")
    folder = tmp_path_factory.mktemp("checkout")
    in_repository(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "asv.conf.json").write_text((ROOT / "asv.conf.json").read_text())
    hashes = [commit_file(folder, f"file{number}", 1_000_000 + 86400 * number) for number in range(6)]
    history = folder / "benchmarks" / "history"
    for number, commit in enumerate(hashes):
        copies: dict[tuple[str, ...], float | None] = {
            ("mapcount", "zygote"): PAGES + (number == 5),
            ("oracle", "zygote"): 7,
            ("mapcount", "stream"): 9 - number,
        }
        results = Results(commit, 0, cells={COPIES: copies})
        files.write(history, [results])
        files.write_benchmarks(history, results)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "ROOT", folder)
        patch.setattr(asv, "SCRATCH", folder / ".asv")
        patch.setattr(page, "PAGE", folder / ".asv" / "html")
        patch.setenv("HOME", str(folder))  # asv keeps what it knows of machines there
        with asv.asv(history) as runner:
            assert page.publish(runner) == 1
        return page.PAGE


def test_a_rise_by_one_page_of_a_million_is_listed(published: Path) -> None:
    (one,) = json.loads((published / "regressions.json").read_text())["regressions"]
    assert one[0] == "bench_counters.Counters.track_copies('mapcount', 'zygote')"
    assert one[4:6] == [PAGES + 1, PAGES]
    assert one[6][0][2:] == [PAGES, PAGES + 1]
    assert (published / one[1]).is_file()


@pytest.fixture
def tab(published: Path) -> Iterator[tuple[Page, str, list[str]]]:
    """Give a tab of a browser that reaches this computer only, the page's address, and what went wrong."""
    path = os.environ.get("COWBENCH_BROWSER", "/usr/bin/chromium")
    if not Path(path).exists() and not os.environ.get("CI"):
        pytest.skip("no Chromium; set COWBENCH_BROWSER to its path")
    from playwright.sync_api import sync_playwright

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(published)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, wrong = f"http://127.0.0.1:{server.server_port}/", list[str]()
    with sync_playwright() as playwright:
        offline = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
        chromium = playwright.chromium.launch(executable_path=path, args=[offline])
        made = chromium.new_page(viewport={"width": 1300, "height": 900})
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
        yield made, address, wrong
        chromium.close()
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.browser
def test_a_browser_without_network_shows_list_graph_and_regressions(tab: tuple[Page, str, list[str]]) -> None:
    shown, address, wrong = tab
    shown.goto(address)
    shown.get_by_text("bench_counters.Counters.track_copies").first.wait_for()
    shown.get_by_role("button", name="Regressions").click()
    row = shown.locator("tr", has_text="track_copies('mapcount', 'zygote')")
    row.wait_for()
    assert shown.get_by_text("1 shown").is_visible()
    red, green, blue = colour(shown, row.locator("td").first.evaluate("cell => getComputedStyle(cell).backgroundColor"))
    assert red > max(green, blue), "a rise must look bad"
    row.get_by_text("track_copies('mapcount', 'zygote')").click()
    shown.locator("canvas").first.wait_for()
    assert "view=explore" in shown.url
    assert shown.get_by_text("Recent points").is_visible()
    assert wrong == []


def colour(shown: Page, text: str) -> tuple[int, int, int]:
    """Read a CSS colour as the browser paints it on white."""
    painted: list[int] = shown.evaluate(
        """text => { const c = document.createElement("canvas").getContext("2d");
        c.fillStyle = "white"; c.fillRect(0, 0, 1, 1); c.fillStyle = text; c.fillRect(0, 0, 1, 1);
        return [...c.getImageData(0, 0, 1, 1).data] }""",
        text,
    )
    return painted[0], painted[1], painted[2]
