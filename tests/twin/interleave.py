"""What other threads of the parent do while fork walks: writes, and pins and gets by GUP-fast."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.twin import faults, references, truth
from tests.twin.state import Process, Reference, State


@dataclass
class Step:
    """One entry of `during`: its pages still to do, its operation number and (pin, get) its reference."""

    at: int
    kind: str
    pages: list[int]
    number: int
    reference: Reference | None


@dataclass
class Interleaving:
    """The steps not landed yet, those that wait for the end of fork, and the instants of the parent seen so far."""

    state: State
    parent: Process
    pending: list[Step]
    waiting: list[Step] = field(default_factory=list)
    instants: list[dict[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.instants.append({page: entry.value() for page, entry in self.parent.mm.pages.items()})

    def land_before(self, page: int) -> None:
        """Land what was meant for pages that the walk has not found."""
        while self.pending and self.pending[0].at < page:
            self._land(self.pending.pop(0))

    def land_at(self, page: int) -> None:
        """Land what comes between fork's decision about `page` and its deed."""
        while self.pending and self.pending[0].at == page:
            self._land(self.pending.pop(0))

    def land_rest(self) -> None:
        """Land what was meant for pages beyond the last one."""
        while self.pending:
            self._land(self.pending.pop(0))

    def _land(self, step: Step) -> None:
        if step.kind == "write":
            self._land_write(step)
        elif self._fast(step):
            assert step.reference is not None
            references.take(self.state, self.parent, step.reference, step.pages)
        else:
            self.waiting.append(step)

    def _fast(self, step: Step) -> bool:
        """Whether GUP-fast gets the pages: all writable, and no guard against pins during fork."""
        policy = self.state.policy
        guarded = policy.fork_guard if step.kind == "pin" else policy.guards_gets
        return not guarded and all(self._writable(page) for page in step.pages)

    def _writable(self, page: int) -> bool:
        entry = self.parent.mm.pages.get(page)
        return entry is not None and entry.write

    def _land_write(self, step: Step) -> None:
        """Store until the first page that would fault; the rest, and all later writes, wait."""
        landed: list[int] = []
        if not any(other.kind == "write" for other in self.waiting):
            while step.pages and self._writable(step.pages[0]):
                page = step.pages.pop(0)
                faults.store(self.parent, page, step.number)
                self.instants.append({**self.instants[-1], page: step.number})
                landed.append(page)
        truth.book_leaks(self.state, self.parent, landed)
        if step.pages:
            self.waiting.append(step)

    def torn(self, child: Process) -> bool:
        """Whether writes landed and the child is no instant of the parent."""
        image = {page: entry.value() for page, entry in child.mm.pages.items()}
        return len(self.instants) > 1 and not any(image.items() <= instant.items() for instant in self.instants)

    def finish(self) -> None:
        """After fork: do what waited, then what the walk never reached, in order. Raises OutOfFrames."""
        for step in self.waiting + self.pending:
            if step.kind == "write":
                faults.write(self.state, self.parent, step.pages, step.number)
            else:
                assert step.reference is not None
                references.take(self.state, self.parent, step.reference, step.pages)
