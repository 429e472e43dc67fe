"""Parameters of plug-ins: declared as typed class attributes, checked when a plug-in is built."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self, dataclass_transform

from cowbench.errors import ParameterError

Value = bool | int | float | str


def parameter(
    default: Value,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    scale: str = "",
    source: str = "",
    help: str = "",
) -> Any:
    """Declare a parameter: its default, inclusive range, unit, how it was scaled down, and its source."""
    facts = {"low": low, "high": high, "unit": unit, "scale": scale, "source": source, "help": help}
    return dataclasses.field(default=default, metadata=facts)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a misspelt `name`: the nearest of `known`, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names) or 'none'}"


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(parameter,))
class Parametrised:
    """Base of policies and workloads: every annotated attribute of a subclass is a parameter.

    Subclasses become frozen keyword-only dataclasses. Allowed types: bool, int, float, str and
    Literal of strings; a range is checked where `parameter(low=, high=)` gave one.
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for field in declared(type(self)):
            value = getattr(self, field.name)
            _check(type(self), field, value)
            if value_type(type(self), field.name) is float:
                object.__setattr__(self, field.name, float(value))  # 1 and 1.0 are one spec

    @classmethod
    def from_values(cls, values: Mapping[str, Value | str]) -> Self:
        """Build from parameter values; strings are read as the declared type. Raises ParameterError."""
        known = {field.name: field for field in declared(cls)}
        for key in values:
            if key not in known:
                raise ParameterError(f"{cls.name} has no parameter '{key}': {nearest(key, known)}")
        return cls(**{key: _read(cls, known[key], value) for key, value in values.items()})

    def values(self) -> dict[str, Value]:
        """Return every parameter with its value, in order of declaration."""
        return {field.name: getattr(self, field.name) for field in declared(type(self))}

    def spec(self) -> str:
        """Return the canonical spec: the name and the parameters that differ from their default, sorted."""
        changed = sorted(
            f"{field.name}={spell(getattr(self, field.name))}"
            for field in declared(type(self))
            if getattr(self, field.name) != field.default
        )
        return f"{self.name}:{','.join(changed)}" if changed else self.name


def declared(cls: type[Parametrised]) -> tuple[dataclasses.Field[Any], ...]:
    """Return the declared parameters of a plug-in class."""
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def changed(plugin: Parametrised) -> dict[str, Value]:
    """Return the parameters of a plug-in that are not at their default, sorted."""
    values, defaults = plugin.values(), {field.name: field.default for field in declared(type(plugin))}
    return {name: value for name, value in sorted(values.items()) if value != defaults[name]}


def spell(value: Value) -> str:
    """Write a value as it stands in a spec."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_type(cls: type[Parametrised], name: str) -> Any:
    """Return the declared type of parameter `name`: a plain type or a Literal."""
    if cls not in _TYPES:
        _TYPES[cls] = typing.get_type_hints(cls)
    return _TYPES[cls][name]


_TYPES: dict[type[Parametrised], dict[str, Any]] = {}
"""Resolving annotations is slow, and every cell of a grid builds its plug-ins."""


def _read(cls: type[Parametrised], field: dataclasses.Field[Any], value: Value | str) -> Value:
    kind = value_type(cls, field.name)
    if not isinstance(value, str) or kind is str or typing.get_origin(kind) is Literal:
        return value
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        return kind(float(value)) if kind is int and float(value).is_integer() else kind(value)
    except (ValueError, KeyError, OverflowError):
        raise ParameterError(f"{cls.name}: {field.name}={value} is not a value of type {kind.__name__}") from None


def _check(cls: type[Parametrised], field: dataclasses.Field[Any], value: object) -> None:
    kind, where = value_type(cls, field.name), f"{cls.name}: {field.name}={value}"
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise ParameterError(f"{where} is none of {', '.join(map(str, typing.get_args(kind)))}")
        return
    if not (isinstance(value, kind) or (kind is float and isinstance(value, int))) or (
        kind is not bool and isinstance(value, bool)
    ):
        raise ParameterError(f"{where} is not a value of type {kind.__name__}")
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if isinstance(value, int | float):
        if value != value:
            raise ParameterError(f"{where} is not a number")
        if (low is not None and value < low) or (high is not None and value > high):
            raise ParameterError(f"{where} is outside its range: {_bounds(low, high)}")


def _bounds(low: float | None, high: float | None) -> str:
    if high is None:
        return f"{low} or more"
    return f"{high} or less" if low is None else f"{low} to {high}"
