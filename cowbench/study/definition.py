"""The file format of a study.

title = "Sticky bit or counter?"

[[question]]
name = "sticky"                          # [a-z0-9_]; unique in the study
asks = "What does a bit that is never reset cost?"
answer = "{grown.only(policy='has_pinned').mean('copies_fork'):,.0f} pages a run"
limits = "The clients are assumed."      # what the answer does not cover
search = 1000                            # search the grammar of rules too (cowbench/search); random programs at its end

[[question.experiment]]
name = "grown"                           # what expressions call its rows
policies = ["has_pinned", "pin_counter"]
workloads = ["pinned_once"]
axes = { clients = [0, 1000, 1100] }     # parameters of the workloads; every combination is run
policy_axes = { charge = ["parent"] }    # the same for the policies
seeds = 16                               # of sampled workloads
measured = true                          # run the workloads on a real kernel, too, if --kernel gives one

[[question.claim]]
says = "A counter copies nothing early once nothing is pinned."
holds = "grown.only(policy='pin_counter').sum('copies_fork') == 0"

[[question.figure]]
experiment = "grown"
kind = "lines"                           # or "regimes": which policy is best in the plane of x and y
x = "clients"
y = "copies_fork"
title = "Early copies by number of clients"
where = { forks = 30 }                   # rows with these values only, as in only()
law = "0.5 * clients"                    # a closed form of y in x, drawn beside the lines
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from cowbench.errors import StudyError
from cowbench.grid import SEEDS
from cowbench.parameters import Value, nearest, spell
from cowbench.schema import BY_NAME

Kind = Literal["lines", "regimes"]


@dataclass(frozen=True)
class Experiment:
    """A grid of trials: every policy on every workload, at every combination of the axes.

    measured: whether the workloads are for a real kernel, too.
    """

    name: str
    policies: tuple[str, ...]
    workloads: tuple[str, ...]
    axes: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    policy_axes: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    seeds: int = SEEDS
    measured: bool = False

    def policy_specs(self) -> list[str]:
        """Return the specs of all policies."""
        return _at_axes(self.policies, self.policy_axes)

    def workload_specs(self) -> list[str]:
        """Return the specs of all workloads."""
        return _at_axes(self.workloads, self.axes)


@dataclass(frozen=True)
class Claim:
    """A sentence, and the expression that must be true for it."""

    says: str
    holds: str


@dataclass(frozen=True)
class Figure:
    """A picture of an experiment.

    "lines": metric `y` over parameter `x`, a line a policy. "regimes": the plane of parameters `x` and `by`, each
    point coloured by the policy with the best `y`, ties hatched. where: values of the rows that are drawn. law: `y` as
    an expression in `x`.
    """

    experiment: str
    kind: Kind
    x: str
    y: str
    title: str
    by: str = ""
    log: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)
    law: str = ""


@dataclass(frozen=True)
class Question:
    """One question: its experiments, the answer as a sentence with {expressions}, what limits it, and claims.

    search: random programs that what a search of the rules finds is held against; 0: nothing is searched.
    """

    name: str
    asks: str
    answer: str
    limits: str
    experiments: tuple[Experiment, ...]
    claims: tuple[Claim, ...]
    figures: tuple[Figure, ...] = ()
    search: int = 0


@dataclass(frozen=True)
class Study:
    """A study. text: the file it was read from, which is kept with the results."""

    name: str
    title: str
    questions: tuple[Question, ...]
    text: str


def read(path: Path) -> Study:
    """Read a study file. Raises StudyError naming the file, the place in it and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise StudyError(f"{path}: cannot be read ({reason}); give the path of a study file") from None
    return parse(path.stem, text, str(path))


def parse(name: str, text: str, origin: str) -> Study:
    """Read a study from TOML; `origin` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{origin}: not a study file, TOML says: {error}") from None
    place = _Place(origin)
    place.known(document, ("title", "question"))
    questions = tuple(
        _question(place / f"question {number}", table)
        for number, table in enumerate(place.tables(document, "question"), start=1)
    )
    place.distinct([question.name for question in questions])
    return Study(name, place.text(document, "title"), questions, text)


def _question(place: _Place, table: dict[str, Any]) -> Question:
    place.known(table, ("name", "asks", "answer", "limits", "search", "experiment", "claim", "figure"))
    name = place.identifier(table)
    place = place / name
    experiments = tuple(_experiment(place, one) for one in place.tables(table, "experiment"))
    place.distinct([one.name for one in experiments])
    claims = tuple(_claim(place, one) for one in place.tables(table, "claim"))
    names = [one.name for one in experiments]
    figures = tuple(_figure(place, one, names) for one in place.tables(table, "figure", least=0))
    asks, answer, limits = (place.text(table, key) for key in ("asks", "answer", "limits"))
    search = place.number(table, "search", 0, 0)
    return Question(name, asks, answer, limits, experiments, claims, figures, search)


def _experiment(place: _Place, table: dict[str, Any]) -> Experiment:
    place.known(table, [one.name for one in fields(Experiment)])
    name = place.identifier(table)
    place = place / name
    return Experiment(
        name,
        place.texts(table, "policies"),
        place.texts(table, "workloads"),
        place.axes(table, "axes"),
        place.axes(table, "policy_axes"),
        place.number(table, "seeds", SEEDS, 1),
        bool(table.get("measured", False)),
    )


def _claim(place: _Place, table: dict[str, Any]) -> Claim:
    place.known(table, ("says", "holds"))
    return Claim(place.text(table, "says"), place.text(table, "holds"))


def _figure(place: _Place, table: dict[str, Any], experiments: list[str]) -> Figure:
    place.known(table, [one.name for one in fields(Figure)])
    figure = Figure(
        place.text(table, "experiment"),
        table.get("kind", "lines"),
        place.text(table, "x"),
        place.text(table, "y"),
        place.text(table, "title"),
        table.get("by", ""),
        table.get("log", False),
        place.table(table, "where"),
        table.get("law", ""),
    )
    place.one_of("experiment", figure.experiment, experiments)
    place.one_of("kind", figure.kind, get_args(Kind))
    place.one_of("y", figure.y, BY_NAME)
    if (figure.kind == "regimes") != bool(figure.by):
        raise place.error("a figure of kind regimes, and no other, needs 'by', its second parameter")
    if figure.law and (figure.kind != "lines" or figure.x == "policy"):
        raise place.error("a 'law' is drawn beside lines over a parameter only")
    return figure


@dataclass(frozen=True)
class _Place:
    """Where in the file we are: reads values and names the place in every error."""

    where: str

    def __truediv__(self, part: str) -> _Place:
        return _Place(f"{self.where}: {part}")

    def error(self, words: str) -> StudyError:
        return StudyError(f"{self.where}: {words}")

    def known(self, table: dict[str, Any], keys: tuple[str, ...] | list[str]) -> None:
        for key in table:
            if key not in keys:
                raise self.error(f"unknown key '{key}': {nearest(key, keys)}")

    def one_of(self, key: str, value: str, names: Any) -> None:
        if value not in names:
            raise self.error(f"{key} '{value}' is not known: {nearest(str(value), names)}")

    def text(self, table: dict[str, Any], key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"'{key}' is missing; give it a text")
        return " ".join(value.split())

    def number(self, table: dict[str, Any], key: str, default: int, least: int) -> int:
        value = table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(f"{key}={value} must be a whole number from {least}")
        return value

    def identifier(self, table: dict[str, Any]) -> str:
        name = self.text(table, "name")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise self.error(f"name '{name}' must be of a-z, 0-9 and _ and start with a letter")
        return name

    def distinct(self, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise self.error(f"two parts are called '{name}'; rename one")

    def tables(self, table: dict[str, Any], key: str, least: int = 1) -> list[dict[str, Any]]:
        return self._list(table, key, dict, f"[[{key}]] tables", least)

    def texts(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        return tuple(self._list(table, key, str, "a list of texts", 1))

    def table(self, table: dict[str, Any], key: str) -> dict[str, Any]:
        values = table.get(key, {})
        if not isinstance(values, dict):
            raise self.error(f"'{key}' must map columns or parameters to values")
        return values

    def axes(self, table: dict[str, Any], key: str) -> dict[str, tuple[Value, ...]]:
        axes = table.get(key, {})
        if not isinstance(axes, dict) or not all(isinstance(values, list) and values for values in axes.values()):
            raise self.error(f"'{key}' must map parameters to lists of values")
        return {name: tuple(values) for name, values in axes.items()}

    def _list(self, table: dict[str, Any], key: str, kind: Callable[..., Any], words: str, least: int) -> list[Any]:
        values = table.get(key, [])
        if not isinstance(values, list) or len(values) < least or not all(isinstance(v, kind) for v in values):  # type: ignore[arg-type]
            raise self.error(f"'{key}' must be {words}")
        return values


def _at_axes(specs: tuple[str, ...], axes: Mapping[str, tuple[Value, ...]]) -> list[str]:
    points = [
        ",".join(f"{k}={spell(v)}" for k, v in zip(axes, point, strict=True)) for point in product(*axes.values())
    ]
    return [_with(spec, point) for spec in specs for point in points]


def _with(spec: str, point: str) -> str:
    if not point:
        return spec
    return f"{spec},{point}" if ":" in spec else f"{spec}:{point}"
