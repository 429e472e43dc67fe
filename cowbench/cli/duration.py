"""Durations on the command line: 10ms, 0.5s, 2min."""

from __future__ import annotations

import re
from typing import Any

import click

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A duration above 0, in seconds; a bare number is in `unit`."""

    name = "duration"

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ms|s|min)?", str(value).strip())
        if match is None or not float(match[1]):
            self.fail(f"'{value}' is no duration: give it as 10ms, 0.5s or 2min", param, ctx)
        return float(match[1]) * _SECONDS[match[2] or self._unit]
