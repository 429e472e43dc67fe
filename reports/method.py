"""method: how the numbers were made, what the words mean, and what it takes to make them again."""

import io
import lzma
from collections.abc import Iterator, Sequence
from typing import Any

from cowbench import again, export
from cowbench.report.model import (
    Block,
    Bullets,
    Cell,
    Code,
    Download,
    Fold,
    Heading,
    Line,
    Listing,
    Paragraph,
    Table,
    Terms,
    Words,
)
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.schema import Row

FACTS = ("started", "cells", "cowbench", "commit", "engine", "python", "numpy", "system", "machine")

METHOD = (
    "A trial runs a workload's script on a model of pages, frames and page tables; a policy decides, all is counted.",
    "Counts are exact. Times are modelled: counts times the costs of a profile, never the simulator's own time.",
    "A workload that draws random numbers is sampled, with the same seeds and so the same draws for every policy; one "
    "that draws none is exact, and one trial says all.",
    "Sums and ranks are over the workloads on which every policy ran the same seeds to the end.",
    "Exact counts, and those that no seed changes, are compared by equality. The others are paired by seed and tested "
    "by a two-sided sign-flip permutation test, with Holm's correction over all comparisons of the report.",
    "Controls, workloads on which no policy should differ, stand in sums but not in comparisons.",
)

WORDS = (
    ("reuse, copy", "the two answers to a write fault on a read-only page; a copy breaks COW"),
    ("early copy", "a copy for the child at fork, because the parent's page may be pinned"),
    ("needless copy", "a false positive: a copy of a frame that nobody but the writer observed"),
    ("pin, get", "references by FOLL_PIN (RDMA, VFIO, io_uring) and FOLL_GET (O_DIRECT of old, vmsplice)"),
    ("leak", "a write that lands in a frame somebody else observes: they see what they must not"),
    ("lost reference", "a copy cuts a pin or get off from its owner's page: data is lost"),
    ("torn snapshot", "a child that is no single instant of its parent"),
    ("oracle", "a policy that sees who observes what, which no kernel can: the yardstick"),
)


class Method(Section):
    title = "Method, words and provenance"
    order = 110

    def build(self, results: Results) -> Iterator[Block]:
        yield Bullets(METHOD)
        yield Terms(tuple((term, f"{meaning}.") for term, meaning in WORDS))
        yield Heading("Where this comes from")
        if not results.runs:
            yield Paragraph("No grid of trials was run yet; trials of studies are not listed here.")
            return
        yield from _runs(results)
        yield from _costs(results)
        yield Heading("To run it again")
        yield from _again(results)
        yield Heading("Downloads")
        yield from _downloads(results)


def _runs(results: Results) -> Iterator[Block]:
    if len({run.get("engine") for run in results.runs}) > 1:
        words = "These rows were made by more than one version of cowbench's model; run again to have one."
        yield Paragraph(words, "warning")
    yield Table("runs", "Runs behind the rows shown", ("run", *map(spaced, FACTS)), tuple(map(_run, results.runs)))


def _run(run: dict[str, Any]) -> Line:
    facts = {**run, "commit": _commit(run)}
    return (str(run["run"]), *(str(facts.get(name, "unknown")) for name in FACTS))


def _commit(run: dict[str, Any]) -> str:
    if not run.get("commit"):
        return "no checkout"
    return f"{run['commit'][:12]}{', with changes' if run.get('dirty') else ''}"


def _costs(results: Results) -> Iterator[Block]:
    profile = results.profile
    if profile is None:
        yield Paragraph("Rows of several cost profiles are mixed here; times of one cannot be held against another's.")
        return
    yield Paragraph(f"Modelled times rest on the cost profile {profile.name}.")
    rows: tuple[Line, ...] = tuple(
        (spaced(name), Cell(f"{cost.ns:g}", cost.ns), cost.source) for name, cost in profile.costs.items()
    )
    yield Table("costs", f"Costs of profile {profile.name}", ("cost", "ns", "source"), rows)


def _again(results: Results) -> Iterator[Block]:
    yield Paragraph("All rows were made by:")
    yield Bullets(tuple(map(Code, sorted({str(run.get("command", "")) for run in results.runs}))))
    words: Words = (
        "A line below makes the trials of one policy on one workload; ",
        Code('"seed": 3'),
        " in it makes one row. The same plug-ins, seed and profile give the same row, bit for bit.",
    )
    yield Paragraph(words)
    if results.kernels:
        words = (
            "Rows of ",
            f"{series(results.kernels)} were made on that kernel: ",
            Code("cowbench run --kernel host"),
        )
        yield Paragraph((*words, ", with the workloads as they are named here."))
    cells = dict.fromkeys((row["policy"], row["workload"]) for row in (*results.rows, *results.points))
    commands = [again.command(*cell, files=results.files) for cell in cells if cell[0] not in results.kernels]
    yield Fold(f"The commands of {plural(len(commands), 'cell')}", (Listing("again.sh", tuple(commands)),))


def _downloads(results: Results) -> Iterator[Block]:
    yield Paragraph("Each table of this report carries its numbers as CSV. All rows, with all columns and parameters:")
    rows = (*results.rows, *results.points, *results.measured)
    yield Download("rows.csv.xz", "application/x-xz", _csv(rows), f"{plural(len(rows), 'row')}, one a trial")
    profiles = {run["profile"] for run in results.runs if "profile" in run}
    for number, profile in enumerate(sorted(profiles)):
        name = f"profile{number or ''}.json"
        yield Download(name, "application/json", profile.encode(), "the costs behind modelled times, for --profile")


def _csv(rows: Sequence[Row]) -> bytes:
    stream = io.StringIO()
    export.write_csv(rows, stream)
    return lzma.compress(stream.getvalue().encode())
