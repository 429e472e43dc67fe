"""`cowbench list`: what there is, each in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import click


@click.command("list")
@click.argument("what", type=click.Choice(["policies", "workloads", "metrics"]))
@click.option("--parameters", is_flag=True, help="Show their parameters, too.")
def command(what: Literal["policies", "workloads", "metrics"], parameters: bool) -> None:
    """List policies, workloads or metrics, each with one line about it; plug-ins that do not load are named."""
    lines = list(_metrics() if what == "metrics" else _plugins(what, parameters))
    width = max((len(name) for name, _ in lines if not name.startswith(" ")), default=0)
    for name, words in lines:
        click.echo(f"{name:{width}}  {words}".rstrip())


def _plugins(what: Literal["policies", "workloads"], parameters: bool) -> Iterator[tuple[str, str]]:
    from cowbench import plugins
    from cowbench.errors import PluginError

    kind: plugins.Kind = "policy" if what == "policies" else "workload"
    for name, file in plugins.available(kind).items():
        try:
            cls = plugins.load_file(kind, file)
        except PluginError as error:
            yield name, f"broken: {error}"
            continue
        yield name, plugins.describe(cls)
        if parameters:
            yield from _parameters(cls)


def _parameters(cls: Any) -> Iterator[tuple[str, str]]:
    from cowbench.parameters import declared, spell, value_type

    defaults = cls().values()
    for field in declared(cls):
        facts = field.metadata
        words = [facts.get("help", ""), facts.get("unit", ""), facts.get("scale", ""), facts.get("source", "")]
        low, high = facts.get("low"), facts.get("high")
        if low is not None or high is not None:
            words.append(f"{low} to {high}")
        choices = getattr(value_type(cls, field.name), "__args__", ())
        words.append(" | ".join(choices))
        yield f"    {field.name}={spell(defaults[field.name])}", "; ".join(word for word in words if word)


def _metrics() -> Iterator[tuple[str, str]]:
    from cowbench import schema

    for column in schema.METRICS.values():
        better = "" if column.better == "none" else f", {column.better} is better"
        yield column.name, f"{column.description} [{column.unit}{better}]"
