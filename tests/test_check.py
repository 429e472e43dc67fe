"""`check` finds each way in which a plug-in can break its contract, and passes all that are built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cowbench import plugins, spec
from cowbench.check import check
from cowbench.errors import ParameterError
from tests.conftest import RULE, SMALL, write_plugin


def broken(kind: plugins.Kind, text: str) -> dict[str, str]:
    """Return the broken promises of a plug-in."""
    return {f.promise: f.problem for f in check(spec.parse(kind, text)) if f.problem is not None}


@pytest.mark.parametrize("name", ["anon_exclusive", "oracle", "eager_copy", "page_count_5_18"])
def test_built_in_policies_keep_their_contract(name: str) -> None:
    assert broken("policy", name) == {}


@pytest.mark.parametrize("name", ["all_pinned", "trace", "prefork_web"])
def test_built_in_workloads_keep_their_contract(name: str) -> None:
    assert broken("workload", name) == {}


@pytest.mark.parametrize("name", list(plugins.available("section")))
def test_built_in_sections_keep_their_contract(name: str) -> None:
    assert broken("section", name) == {}


SECTIONS = {
    "text": ("'<p>'", "draws an empty store", "not str"),
    "needs rows": ("[Paragraph(str(results.rows[0]['copies']))]", "draws an empty store", "12: IndexError"),
    "needs numbers": ("[count(sum(row['copies'] for row in results.rows))] * 0", "draws failed trials", "TypeError"),
    "needs two": ("results.rows and [Paragraph(results.policies[1])]", "draws one policy", "IndexError"),
    "same names": ("[Table('t', '', ('a',), ())] * 2", "draws an empty store", "are called 't'"),
    "changes": ("[Paragraph(str(time.perf_counter()))]", "draws the same rows alike", "the second time"),
}


@pytest.mark.parametrize("case", SECTIONS)
def test_a_section_that_breaks_a_promise_is_found_out(tmp_path: Path, case: str) -> None:
    body, promise, words = SECTIONS[case]
    head = '"""mine: for tests."""\n\nimport time\n\nfrom cowbench.report.model import Paragraph, Table, count\n'
    cls = "from cowbench.report.section import Section\n\n\nclass Mine(Section):\n    title = 'Mine'\n"
    text = f"{head}{cls}    def build(self, results):\n        return {body}\n"
    assert words in broken("section", write_plugin(tmp_path, "mine", text))[promise]


SOLE = "fault.refcount == 1"
POLICIES = {
    "returns counts": ("fault.refcount", "answers with a boolean a page", "not int32[48]"),
    "wrong length": ("np.ones(3, np.bool_)", "answers with a boolean a page", "not bool[3]"),
    "raises": ("fault.nothing", "answers with a boolean a page", "line 11: AttributeError"),
    "keeps a count": ("(COUNT.append(1), fault.refcount < len(COUNT) % 5)[1]", "is deterministic", "differently"),
    "global draws": ("np.random.random(len(fault)) < 0.5", "is deterministic", "differently"),
    "looks at neighbours": ("fault.refcount <= fault.refcount.mean()", "a batch equals its pages one by one", "alone"),
    "looks at the size": (f"({SOLE}) & (len(fault) > 1)", "a batch equals its pages one by one", "alone"),
    "asks for the truth": ("told(fault).observed", "answers with a boolean a page", "sees_truth"),
    "reaches for columns": ("fault._columns.locked", "sees no truth", "line 11: reaches for ._columns"),
    "mutates": ("mutate(fault)", "changes nothing that it sees", "changed the column mapcount"),
}
HELPERS = """
COUNT: list[int] = []


def mutate(fault: WriteFault) -> Mask:
    counts = fault.mapcount
    counts.flags.writeable = True
    counts += 1
    return fault.refcount == 1
"""


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_that_breaks_a_promise_is_found_out(tmp_path: Path, case: str) -> None:
    answer, promise, words = POLICIES[case]
    text = RULE.replace(SOLE, answer).replace("import Mask", "import Mask, told") + HELPERS
    found = broken("policy", write_plugin(tmp_path, "rule", text))
    assert words in found[promise]


def test_a_policy_imports_no_machinery(tmp_path: Path) -> None:
    text = RULE.replace("import numpy as np", "import numpy as np\n\nfrom cowbench.simulated import SimulatedMachine")
    assert "imports cowbench.simulated" in broken("policy", write_plugin(tmp_path, "rule", text))["sees no truth"]


def test_a_default_outside_its_range_and_a_missing_docstring_are_found(tmp_path: Path) -> None:
    text = SMALL.partition("\n\n")[2].replace("(64, low=1", "(64, high=1")
    with pytest.raises(ParameterError, match="pages=64 is outside its range"):
        broken("workload", write_plugin(tmp_path, "small", text))
    text = SMALL.partition("\n\n")[2]
    assert "no docstring" in broken("workload", write_plugin(tmp_path, "small", text))["says what it is"]


DRAW = "rng.integers(0, self.pages, 16)"
WORKLOADS = {
    "illegal": (DRAW, "[-1]", "its operations are legal", "-1"),
    "global draws": (DRAW, "np.random.randint(0, self.pages, 16)", "is deterministic", "global random numbers"),
    "its own clock": (DRAW, "[time.perf_counter_ns() % 64]", "is deterministic", "the second time"),
    "exact, yet it draws": ("    pages:", "    exact = True\n    pages:", "says whether it draws", "exact = True, yet"),
    "draws nothing": (DRAW, "range(16)", "says whether it draws", "say exact = True"),
    "looks at the counts": (DRAW, "range(machine.ledger.reuses)", "uses Machine and nothing else", ".ledger"),
    "a point out of range": (
        "    pages:",
        '    curve, points = "pages", ({"pages": 0},)\n    pages:',
        "has points that lie on its curve",
        "pages=0 is outside its range",
    ),
    "a point off the curve": (
        "    pages:",
        '    curve, points = "pages", ({"pages": 64},)\n    pages:',
        "has points that lie on its curve",
        "none of a curve along 'pages'",
    ),
    "does nothing": (
        "        parent = machine",
        "        return\n        parent = machine",
        "its operations are legal",
        "nothing",
    ),
}


@pytest.mark.parametrize("case", WORKLOADS)
def test_a_workload_that_breaks_a_promise_is_found_out(tmp_path: Path, case: str) -> None:
    old, new, promise, words = WORKLOADS[case]
    text = SMALL.replace(old, new).replace("from numpy", "import time\n\nimport numpy as np\nfrom numpy", 1)
    found = broken("workload", write_plugin(tmp_path, "small", text))
    assert words in found[promise]


def test_a_workload_that_asks_policies_differently_is_found_out(tmp_path: Path) -> None:
    new = "range(2 + machine._machine.ledger.copies['fork'])"
    found = broken("workload", write_plugin(tmp_path, "small", SMALL.replace(DRAW, new)))
    assert {"asks every policy the same", "uses Machine and nothing else"} <= set(found)
