"""The mixed programme: against the C machine, a first draft in numpy and the scalar twin; where its time goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.ratios.first_draft import FirstDraft
from benchmarks.ratios.measure import POLICY, Samples, Stopwatch, counts, gather, model, ratio, run_mixed
from benchmarks.ratios.native import O2, O3
from benchmarks.ratios.programs import Draws, corners, draw_mixed
from benchmarks.ratios.setting import NO_COMPILER, Outcome, Setting
from cowbench.machine import MachineConfig

Counts = dict[str, int]
Watches = dict[str, Stopwatch]
FAST = "C -O3 -march=native"
CORNERS = 1 << 12
"""Pages of the run for what the mixed programme has none of."""


def middle(setting: Setting) -> Outcome:
    """Measure targets 10, 12 and 13."""
    from tests.twin import Twin

    sizes = setting.sizes
    pages, fewer = 1 << sizes.middle, 1 << sizes.twin
    draws, watches, outcome = draw_mixed(pages), Watches(), Outcome()
    takers = _against_c(setting, pages, draws, watches)
    if setting.compiler.path is not None:
        takers[FAST] = partial(_timed_c, setting, FAST, O3, pages, draws, watches)
    if 12 in setting.only:
        takers["first draft"] = lambda: _timed("first draft", FirstDraft(2 * pages), pages, draws, watches)
    if 13 in setting.only:
        few = draw_mixed(fewer)
        takers["twin"] = lambda: _once("twin", Twin(POLICY, {}, MachineConfig(frames=2 * fewer)), fewer, few, watches)
    samples = gather(sizes.rounds, takers)
    _report(setting, outcome, 10, samples, watches)
    _check_corners(setting, outcome)
    if 12 in setting.only:
        outcome.readings[12] = [ratio(samples, "first draft: all", "model: all")]
    if 13 in setting.only:
        outcome.readings[13] = [ratio(samples, "twin: all", "model: all", pages / fewer)]
    return outcome


def large(setting: Setting) -> Outcome:
    """Measure target 11."""
    pages = 1 << setting.sizes.large
    watches, outcome = Watches(), Outcome()
    samples = gather(setting.sizes.rounds, _against_c(setting, pages, draw_mixed(pages), watches))
    _report(setting, outcome, 11, samples, watches)
    return outcome


def _against_c(
    setting: Setting, pages: int, draws: list[Draws], watches: Watches
) -> dict[str, Callable[[], dict[str, float]]]:
    """Return what runs the programme on the model and, with a compiler, on the C machine."""
    takers = {"model": lambda: _timed("model", model(2 * pages), pages, draws, watches)}
    if setting.compiler.path is not None:
        takers["C"] = partial(_timed_c, setting, "C", O2, pages, draws, watches)
    return takers


def _timed(name: str, machine: Any, pages: int, draws: list[Draws], watches: Watches) -> dict[str, float]:
    """Run the programme once, keep its stopwatch and return seconds by verb and of "all"."""
    watches[name] = watch = run_mixed(machine, pages, draws)
    return {**watch.seconds, "all": sum(watch.seconds.values())}


def _once(name: str, machine: Any, pages: int, draws: list[Draws], watches: Watches) -> dict[str, float]:
    """Run the programme in the first round only: the twin takes 15 s, and its ratio is no close call."""
    return {} if name in watches else _timed(name, machine, pages, draws, watches)


def _timed_c(
    setting: Setting, name: str, options: tuple[str, ...], pages: int, draws: list[Draws], watches: Watches
) -> dict[str, float]:
    with setting.compiler.reference(2 * pages, options) as machine:
        return _timed(name, machine, pages, draws, watches)


def _report(setting: Setting, outcome: Outcome, number: int, samples: Samples, watches: Watches) -> None:
    """Note ratio, counts, split per verb and, if it ran, the C machine built for speed."""
    pages = watches["model"].whole
    for name in (name for name in ("model", "C", "first draft", "twin") if name in watches):
        outcome.notes.append(f"mixed, {watches[name].whole} pages, {name}: {_split(name, samples, watches[name])}")
    if setting.compiler.path is None:
        outcome.readings[number] = NO_COMPILER
        return
    outcome.readings[number] = [ratio(samples, "C: all", "model: all")]
    if FAST in watches:
        fast = ratio(samples, f"{FAST}: all", "model: all")
        outcome.notes.append(f"mixed, {pages} pages, {FAST} / model: {fast.minimum:.3g} (medians {fast.median:.3g})")
    outcome.compare(f"mixed, {pages} pages", watches["model"].counted, watches["C"].counted)


def _split(name: str, samples: Samples, watch: Stopwatch) -> str:
    """Return the time of a run, and of each verb in ns a page with its share of the whole."""
    whole = min(samples[f"{name}: all"])
    verbs = {verb: min(samples[f"{name}: {verb}"]) for verb in watch.pages}
    words = [f"{verb} {s / watch.pages[verb] * 1e9:.3g} ({s / whole:.0%})" for verb, s in verbs.items()]
    return f"{whole * 1e3:.4g} ms; ns a page: {', '.join(words)}"


def _check_corners(setting: Setting, outcome: Outcome) -> None:
    if setting.compiler.path is None:
        return
    machine = model(4 * CORNERS)
    corners(machine, CORNERS)
    with setting.compiler.reference(4 * CORNERS) as c_machine:
        corners(c_machine, CORNERS)
        outcome.compare("needless copies and lost references", counts(machine), counts(c_machine))
