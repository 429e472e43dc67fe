"""The state of the machine: frames, swap slots, page tables, references, LRU batches and charges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cowbench.ledger import Ledger
from cowbench.machine import MachineConfig
from tests.twin.behaviour import Behaviour

PIN = 1024
"""What one FOLL_PIN adds to a refcount (GUP_PIN_COUNTING_BIAS)."""


class NoFrame(Exception):
    """A fault found no free frame, or no room in the memory cgroup."""


@dataclass(eq=False)
class Slot:
    """A swap slot. `sharers`: processes whose page table names it; `content` matters while no frame is cached."""

    number: int
    frame: Frame | None
    content: int = 0
    sharers: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Frame:
    """A frame in use. `mappers`: processes that map it; `holders`: live reference elements by owner."""

    number: int
    token: int
    memcg: int
    refcount: int = 1
    mappers: set[int] = field(default_factory=set)
    holders: dict[int, int] = field(default_factory=dict)
    slot: Slot | None = None
    batch: int | None = None
    writeback: bool = False
    locked: bool = False
    speculative: bool = False


@dataclass(eq=False)
class Entry:
    """A page table entry: the zero page (neither frame nor slot), present (frame) or swapped (slot)."""

    frame: Frame | None = None
    slot: Slot | None = None
    write: bool = False
    exclusive: bool = False
    dirty: bool = False
    tracked: bool = False

    @property
    def zero(self) -> bool:
        """Whether the zero page is mapped."""
        return self.frame is None and self.slot is None

    def leads_to(self) -> Frame | None:
        """Return the frame this entry leads to: mapped, or found in the swap cache."""
        return self.slot.frame if self.slot is not None else self.frame

    def value(self) -> int:
        """Return what a reader would see."""
        frame = self.leads_to()
        if frame is not None:
            return frame.token
        return self.slot.content if self.slot is not None else 0


@dataclass(eq=False)
class Mm:
    """An address space, and what the policy remembers of it."""

    pages: dict[int, Entry] = field(default_factory=dict)
    dontfork: set[int] = field(default_factory=set)
    has_pinned: bool = False
    pins: int = 0


@dataclass(eq=False)
class Process:
    """A process; `born` is False for the child of a failed fork."""

    number: int
    cpu: int
    memcg: int
    mm: Mm = field(default_factory=Mm)
    alive: bool = True
    born: bool = True


@dataclass(eq=False)
class Reference:
    """A batch of references by pin or get; `frames` has None for the zero page. Not `born`: the pin or get failed."""

    number: int
    owner: int = -1
    mm: Mm = field(default_factory=Mm)
    pages: list[int] = field(default_factory=list)
    frames: list[Frame | None] = field(default_factory=list)
    leading: list[bool] = field(default_factory=list)
    kind: Literal["pin", "get"] = "pin"
    write: bool = False
    longterm: bool = False
    coherent: bool = True
    born: bool = False
    live: bool = False


class State:
    """Everything the twin knows."""

    def __init__(self, config: MachineConfig, policy: Behaviour) -> None:
        self.config, self.policy, self.ledger = config, policy, Ledger()
        self.processes: list[Process] = []
        self.references: list[Reference] = []
        self.frames: dict[int, Frame] = {}
        self.slots: dict[int, Slot] = {}
        self.batches: dict[int, list[Frame]] = {cpu: [] for cpu in range(config.cpus)}
        self.charges: dict[int, int] = {}
        self.frames_made = self.slots_made = 0

    def live_references(self) -> list[Reference]:
        """Return the references that were taken and not released."""
        return [reference for reference in self.references if reference.live]
