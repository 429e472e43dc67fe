"""The command line: each command does what its help says, each error is one line with exit code 2."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cowbench.cli import cli
from cowbench.errors import StoreError
from cowbench.store import Store
from tests.conftest import RULE, SMALL, make_result, make_row, write_plugin


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COWBENCH_PLUGINS", "")  # so that what --plugins sets is taken back


def call(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == code, (result.output, result.exception)
    return result


def error(*words: str) -> str:
    """Return the one line that a wrong call is answered with."""
    result = call(*words, code=2)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in result.output
    return lines[0]


def test_run_fills_a_store_and_a_second_run_finds_it_full() -> None:
    load = write_plugin(Path(), "small", SMALL)
    words = ("run", "--policy", "mapcount,has_pinned:gfp=atomic,on_failure=share", "-w", f"./{load}", "--seeds", "3")
    assert "6 cells in cowbench.db: 6 run now, 0 there before" in call(*words).stdout
    again = call(*words)
    assert "0 run now, 6 there before" in again.stdout
    assert again.stderr == ""


def test_quiet_says_nothing() -> None:
    load = write_plugin(Path(), "small", SMALL)
    assert call("run", "-p", "mapcount", "-w", load, "--seeds", "2", "--quiet").output == ""


def test_a_pipe_gets_plain_lines() -> None:
    result = call("run", "-p", "mapcount", "-w", write_plugin(Path(), "small", SMALL), "--seeds", "2", "--jobs", "1")
    assert result.stderr.splitlines() == ["0 of 2 cells", "2 of 2 cells"]


def test_a_terminal_gets_a_bar() -> None:
    load = write_plugin(Path(), "small", SMALL)
    words = ["run", "-p", "mapcount", "-w", load, "--seeds", "2", "--jobs", "1"]
    here, there = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-m", "cowbench", *words], stderr=there, stdout=subprocess.DEVNULL, env=environment)
    os.close(there)
    shown = os.read(here, 1 << 16).decode()
    os.close(here)
    assert "0/2" in shown


def test_a_failed_cell_is_said_stored_and_retried_on_demand() -> None:
    load = write_plugin(Path(), "small", SMALL.replace("parent = machine.spawn()", "1 / 0"))
    result = call("run", "-p", "mapcount", "-w", load, "--seeds", "2", "--quiet", code=2)
    assert len(result.stderr.splitlines()) == 1
    assert "mapcount on small: workload small" in result.stderr
    assert "ZeroDivisionError" in result.stderr
    assert "(and 1 more cells)" in result.stderr
    assert "2 run now" in call("run", "-p", "mapcount", "-w", load, "--seeds", "2", "--retry-failed", code=2).stdout


def test_a_recorded_cell_is_replayed_to_the_same_row() -> None:
    load = write_plugin(Path(), "small", SMALL)
    call("run", "-p", "has_pinned", "-w", load, "--seeds", "1", "--record", "program.jsonl")
    call("run", "-p", "has_pinned", "-w", "trace:file=program.jsonl")
    with Store(Path("cowbench.db"), read_only=True) as store:
        small, trace = store.rows()
    other = ("workload", "sampling")
    assert {k: v for k, v in small.items() if not k.startswith(other)} == {
        k: v for k, v in trace.items() if not k.startswith(other)
    }


def test_a_file_that_cannot_be_replayed_is_named_once() -> None:
    Path("notes.txt").write_text("remember the milk\n")
    line = error("run", "-p", "mapcount,has_pinned", "-w", "trace:file=notes.txt", "--quiet", "--jobs", "1")
    places = "has_pinned on trace:file=notes.txt: notes.txt:1: not a cowbench program file (no header line)"
    assert line == f"cowbench: failed: {places} (and 1 more cells)"


def test_only_one_cell_can_be_recorded() -> None:
    load = write_plugin(Path(), "small", SMALL)
    words = ("run", "-p", "mapcount", "-w", load, "--record", "program.jsonl")
    assert "one cell can be recorded, not 16" in error(*words)
    assert "none/program.jsonl: cannot be written" in error(*words[:-1], "none/program.jsonl", "--seeds", "1", "-q")
    assert "1 run now" in call("run", "-p", "mapcount", "-w", load, "--seeds", "1").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "-p", "mapcuont"), "no policy 'mapcuont': did you mean 'mapcount'?"),
        (("run", "-w", "snapshot_stor"), "no workload 'snapshot_stor': did you mean 'snapshot_store'?"),
        (("run", "-p", "has_pinned:gpf=atomic"), "no parameter 'gpf': did you mean 'gfp'?"),
        (("run", "-w", "all_pinned:pages=-4"), "pages=-4 is outside its range"),
        (("run", "-p", "./none.py"), "none.py: cannot be read"),
        (("run", "--profile", "none.json"), "none.json: cannot be read"),
        (("run", "-p", "mapcount", "-w", "no_fork", "--store", "none/s.db"), "none/s.db: cannot be opened"),
        (("show",), "cowbench.db: no such store"),
        (("report",), "cowbench.db: no such store"),
        (("export", "--csv", "-"), "cowbench.db: no such store"),
        (("export",), "nothing to export to"),
        (("check", "none.py"), "none.py: cannot be read"),
        (("check", "mapcuont"), "no plug-in 'mapcuont': did you mean 'mapcount'?"),
        (("new", "policy", "my rule"), "'my rule' cannot name a policy"),
        (("new", "policy", "mapcount"), "there is a policy 'mapcount' already"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_line(words: tuple[str, ...], said: str) -> None:
    assert said in error(*words)


def test_a_file_that_is_no_store_is_said_and_kept() -> None:
    Path("notes.db").write_text("x" * 5000)
    for words in (("run", "-p", "mapcount", "-w", "no_fork"), ("show",), ("report",), ("export", "--csv", "-")):
        assert "notes.db: not a cowbench store" in error(*words, "--store", "notes.db")
    assert Path("notes.db").read_text() == "x" * 5000


def test_list_names_plugins_and_broken_ones_beside_them() -> None:
    write_plugin(Path("own/policies"), "rule", RULE)
    write_plugin(Path("own/policies"), "broken", "import nothing_of_that_name\n")
    shown = call("--plugins", "own", "list", "policies").stdout.splitlines()
    assert any(line.startswith("mapcount ") for line in shown)
    assert any(line.startswith("rule ") and "for tests." in line for line in shown)
    (broken,) = [line for line in shown if "broken" in line.split()[0]]
    assert "own/policies/broken.py:1: ModuleNotFoundError" in broken


def test_a_broken_file_of_ones_own_is_skipped_by_a_run_over_all() -> None:
    write_plugin(Path("own/policies"), "broken", "class")
    result = call("--plugins", "own", "run", "-w", "no_fork", "--seeds", "1", "--jobs", "1")
    assert "skipped: policy" in result.stderr
    assert "12 run now" in result.stdout


def test_list_shows_workloads_parameters_and_metrics() -> None:
    assert "snapshot_store" in call("list", "workloads").stdout
    assert "charge=parent" in call("list", "policies", "--parameters").stdout
    metrics = call("list", "metrics").stdout
    assert "false_positive_copies " in metrics
    assert "[ns, lower is better]" in metrics


def fill(*rows: dict[str, object]) -> None:
    with Store(Path("cowbench.db")) as store:
        results = [make_result(row) for row in rows]
        store.add(results, store.begin_run("2026-01-01T00:00:00+00:00", {}))
        store.point((r.row["policy"], r.row["workload"], r.row["seed"], r.key) for r in results)


def test_show_prints_means_and_says_what_is_missing() -> None:
    failed = {"status": "failed", "copies": None, "error": "why"}
    fill(
        make_row("a", "small", 0, copies=1000),
        make_row("a", "small", 1, copies=1001),
        make_row("a", "large", copies=7, status="out_of_frames"),
        make_row("b", "small") | failed,
    )
    lines = call("show", "--metric", "copies").stdout.splitlines()
    assert lines == ["workload\ta\tb", "large\t7*\t-", "small\t1,000.5\tfailed"]
    assert "no metric 'copeis': did you mean 'copies'?" in error("show", "--metric", "copeis")


def test_export_writes_one_line_a_trial() -> None:
    fill(make_row("a", copies=3) | {"policy.on": True}, make_row("b", error='with "quotes", and\na line'))
    rows = list(csv.DictReader(io.StringIO(call("export", "--csv", "-").stdout)))
    assert [(row["policy"], row["copies"], row["policy.on"], row["fork_ns_mean"]) for row in rows] == [
        ("a", "3", "true", ""),
        ("b", "0", "", ""),
    ]
    assert rows[1]["error"] == 'with "quotes", and\na line'
    call("export", "--parquet", "rows.parquet")
    assert list(pd.read_parquet("rows.parquet")["copies"]) == [3, 0]
    assert "cannot be written" in error("export", "--parquet", "none/rows.parquet")


@pytest.mark.parametrize("kind", ["policy", "workload"])
def test_a_new_plugin_passes_its_check_runs_and_is_not_overwritten(kind: str) -> None:
    call("new", kind, "my_own")
    assert "keeps its contract" in call("check", "my_own.py").stdout
    assert "my_own.py exists and is not overwritten" in error("new", kind, "my_own")
    others = ("-w", "no_fork") if kind == "policy" else ("-p", "mapcount")
    call("run", f"--{kind}", "my_own.py", *others, "--seeds", "1")


def test_a_new_section_passes_its_check_and_stands_in_the_report() -> None:
    call("new", "section", "my_own")
    assert "keeps its contract" in call("check", "my_own.py").stdout
    call("run", "-p", "mapcount", "-w", "no_fork", "--seeds", "1")
    call("report", "--section", "my_own.py", "--no-pdf")
    assert 'id="my_own-reuses"' in Path("report/index.html").read_text()


def test_check_says_what_is_broken() -> None:
    file = write_plugin(Path(), "rule", RULE.replace("fault.refcount == 1", "fault.refcount"))
    result = call("check", file, code=2)
    assert "FAIL  answers with a boolean a page: reuse() must return bool[48]" in result.stdout
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_says_how_to_go_on_and_keeps_what_was_done() -> None:
    slow = SMALL.replace("parent = machine.spawn()", "time.sleep(0.1)\n        parent = machine.spawn()")
    load = write_plugin(Path(), "small", slow.replace("from numpy", "import time\n\nfrom numpy", 1))
    words = ["run", "-p", "mapcount,oracle", "-w", load, "--seeds", "40", "--jobs", "2"]
    run = subprocess.Popen(
        [sys.executable, "-m", "cowbench", *words],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not rows_so_far():
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does, to workers as well
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert said.decode().splitlines()[-1] == (
        "cowbench: interrupted; finished cells are in cowbench.db, run again to go on"
    )
    assert 0 < rows_so_far() < 80


def rows_so_far() -> int:
    try:
        with Store(Path("cowbench.db"), read_only=True) as store:
            return len(store.rows())
    except StoreError:  # not there yet, or just being created
        return 0


def test_help_does_not_import_what_is_slow() -> None:
    code = "import sys\nfrom cowbench.cli import cli\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"import json\n{code}"], capture_output=True, text=True, check=True)
    slow = {"numpy", "pandas", "matplotlib", "jinja2", "rich", "scipy", "sqlite3", "multiprocessing"}
    assert not slow & set(json.loads(done.stdout))


def trace(*words: str) -> list[list[str]]:
    """Return the lines of a traced trial, split at tabs, without the heading."""
    heading, *lines = call("trace", "view", *words).stdout.splitlines()
    assert heading.split("\t") == ["operation", "words", "what", "where", "why", "process", "count", "pages"]
    return [line.split("\t") for line in lines]


def test_a_trial_is_shown_operation_by_operation() -> None:
    lines = trace("--policy", "page_count", "--workload", "all_pinned:pages=64")
    words = ["5", "process 0 writes pages 0 to 63"]
    assert [*words, "copies", "write_fault", "", "0", "64", "0-63"] in lines
    assert [*words, "lost_pins", "", "", "0", "64", "0-63"] in lines
    assert ["4", "process 0 forks: process 1", "fork_ns", "", "", "", "63501", ""] in lines
    assert ["1", "a process starts on CPU 0: process 0", *[""] * 6] in lines


def test_one_page_and_one_kind_of_booking_can_be_shown() -> None:
    words = ("-p", "page_count", "-w", "all_pinned:pages=64")
    lost = trace(*words, "--only", "lost", "--page", "7")
    assert lost == [["5", "process 0 writes pages 0 to 63", "lost_pins", "", "", "0", "1", "7"]]
    assert {line[2] for line in trace(*words, "--only", "copies")} == {"copies"}
    told = {"copies", "fork_ns", "leaks", "lost_pins", "missed_early_copies"}
    assert {line[2] for line in trace(*words, "--page", "7")} == {"", *told}
    assert trace(*words, "--only", "false-positives") == []
    assert "reaches page 64" in error("trace", "view", *words, "--page", "64")


def test_a_program_file_is_shown_under_a_policy() -> None:
    call("run", "-p", "mapcount", "-w", "short_pin", "--seeds", "1", "--record", "program.jsonl")
    assert trace("program.jsonl", "-p", "page_count") == trace("-w", "short_pin", "-p", "page_count")


def test_a_terminal_gets_a_table_of_the_trial() -> None:
    here, there = pty.openpty()
    words = ["trace", "view", "-p", "has_pinned", "-w", "many_sharers"]
    command = [sys.executable, "-m", "cowbench", *words]
    with subprocess.Popen(command, stdout=there, env=os.environ | {"TERM": "xterm", "COLUMNS": "140"}) as process:
        os.close(there)
        shown = b""
        while True:
            try:
                shown += os.read(here, 1 << 16)
            except OSError:  # the other end is closed
                break
    os.close(here)
    text = shown.decode()
    assert process.returncode == 0
    assert "process 0 forks, 77 times in a row" in text
    assert "8 needless, because the process had pinned once: 0-7" in text
    assert "1,106 of 1,106 operations shown. In the whole trial: 624 copies, 616 of them needless." in text


def test_a_trial_that_cannot_be_followed_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "give either" in error("trace", "view", "-p", "mapcount")
    assert "give either" in error("trace", "view", "-p", "mapcount", "-w", "short_pin", "program.jsonl")
    assert "none.jsonl: cannot be read" in error("trace", "view", "-p", "mapcount", "none.jsonl")
    assert "no policy 'mapcnt'" in error("trace", "view", "-p", "mapcnt", "-w", "short_pin")
    write_plugin(Path(), "small", SMALL.replace("machine.write(child, range(4))", "1 / 0"))
    result = call("trace", "view", "-p", "mapcount", "-w", "./small.py", code=2)
    assert result.stderr.startswith("cowbench: the trial ended here, failed: workload small")
    assert len(result.stderr.splitlines()) == 1
    assert "process 0 forks" in result.stdout
