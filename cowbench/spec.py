"""Specs: a plug-in with its parameter values as text, and in a form that fits in JSON.

Text: `name`, `name:key=value,key=value`, or the path of a file in place of the name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cowbench import plugins
from cowbench.errors import ParameterError, PluginError
from cowbench.parameters import Value, changed


@dataclass(frozen=True)
class PluginSpec:
    """One plug-in and the parameters that differ from their default; what is sent to workers and put into results.

    file: absolute path. values: parameter and value, sorted. digest: hash of the file's contents.
    """

    kind: plugins.Kind
    name: str
    file: str
    values: tuple[tuple[str, Value], ...]
    digest: str

    def build(self) -> Any:
        """Return the policy or workload. Raises PluginError if the file is no longer what the spec was made from."""
        file = Path(self.file)
        if plugins.file_digest(self.kind, file) != self.digest:
            raise PluginError(f"{self.kind} {file}: changed after the run had begun; run again")
        return plugins.load_file(self.kind, file).from_values(dict(self.values))

    @cached_property
    def text(self) -> str:
        """The canonical spec, as results name it: `has_pinned:charge=child`."""
        spec: str = self.build().spec()
        return spec

    def to_json(self) -> str:
        """Write the spec as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PluginSpec:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["values"] = tuple((key, value) for key, value in fields["values"])
        return cls(**fields)


def parse(kind: plugins.Kind, text: str) -> PluginSpec:
    """Read the spec of a plug-in and check it. Raises PluginError or ParameterError."""
    target, _, parameters = text.strip().partition(":")
    file = plugins.locate(kind, target)
    cls = plugins.load_file(kind, file)
    plugin = cls.from_values(_pairs(text, parameters))
    return PluginSpec(kind, cls.name, str(file), tuple(changed(plugin).items()), plugins.file_digest(kind, file))


def split(texts: Sequence[str]) -> list[str]:
    """Split comma lists of specs: a part that is only `key=value` belongs to the spec before it."""
    specs: list[str] = []
    for text in texts:
        fresh = True
        for part in text.split(","):
            if not fresh and "=" in part and ":" not in part.partition("=")[0]:
                specs[-1] += f",{part}"
            elif part.strip():
                specs.append(part.strip())
                fresh = False
    return specs


def _pairs(text: str, parameters: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in filter(None, parameters.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ParameterError(f"'{text}': '{part}' is not key=value; write name:key=value,key=value")
        if key.strip() in pairs:
            raise ParameterError(f"'{text}': {key.strip()} is given twice")
        pairs[key.strip()] = value.strip()
    return pairs
