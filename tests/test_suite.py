"""The default workloads on the real model: they tell their policies apart, the oracle never errs, controls agree."""

from __future__ import annotations

from functools import cache

import pytest

from cowbench import costs, schema, spec, trial
from cowbench.ledger import CAUSES, SITES
from cowbench.plugins import available, load
from cowbench.workload import Workload

PROFILE = costs.read_profile()
BOUNDS = ("always_reuse", "eager_copy")


@cache
def row(policy: str, workload: str, seed: int = 0) -> schema.Row:
    return trial.run_trial(spec.parse("policy", policy), spec.parse("workload", workload), seed, PROFILE)


def workload_class(name: str) -> type[Workload]:
    cls = load("workload", name)
    assert issubclass(cls, Workload)
    return cls


WORKLOADS = sorted(available("workload"))
POLICIES = sorted(available("policy"))
COMPARED = [
    name
    for name, column in schema.BY_NAME.items()
    if name in schema.METRICS and column.kind in ("count", "time") and name != "wall_s"
]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_policies_it_was_made_for_differ(workload: str) -> None:
    for first, second in workload_class(workload).differs:
        a, b = row(first, workload), row(second, workload)
        assert a["status"] == b["status"] == "ok"
        assert any(a[name] != b[name] for name in COMPARED), (first, second)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_oracle_errs_nowhere(workload: str) -> None:
    made = row("oracle", workload)
    errors = ("false_positive_copies", "leaks", "lost_pins", "lost_gets", "lost_pins_documented", "missed_early_copies")
    assert {name: made[name] for name in errors} == dict.fromkeys(errors, 0)


@pytest.mark.parametrize("workload", [name for name in WORKLOADS if workload_class(name).control])
def test_controls_do_not_tell_policies_apart(workload: str) -> None:
    made = [row(policy, workload) for policy in POLICIES if policy not in BOUNDS]
    assert all(made[0][name] == other[name] for other in made for name in ("copies", "leaks", "lost_pins"))


@pytest.mark.parametrize("workload", WORKLOADS)
def test_sites_and_causes_add_up(workload: str) -> None:
    for policy in ("has_pinned", "anon_exclusive"):
        made = row(policy, workload)
        assert sum(made[f"copies_{site}"] for site in SITES) == made["copies"]
        assert sum(made[f"false_positive_copies_{site}"] for site in SITES) == made["false_positive_copies"]
        assert sum(made[f"false_positive_cause_{cause}"] for cause in CAUSES) == made["false_positive_copies"]
