"""What processes do to their memory besides writing it: discards, advice, protection, references of devices."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cowbench.machine import Reference
from cowbench.record.messages import Kind, Message
from cowbench.record.script import Script
from cowbench.record.traced import Traced
from cowbench.record.tracker import Moved

MOVED = "pages moved by mremap, recorded as discarded and written"
UNANNOUNCED = "mappings that the C library itself took away: what was written to them last"
FREED = "MADV_FREE: its pages stay until memory is short"
NO_SWAP = "MADV_PAGEOUT without swap, which does nothing"
DOFORK = "MADV_DOFORK of what children were not to get"

_PROT_WRITE = 2

Range = tuple[int, int]
Holder = tuple[int, Kind, int]
"""Who holds references: a pid, and by what: the ring of pins, the pipe of splices, the thread of a transfer."""


@dataclass
class Effects:
    """Records them. look: looks at what a process wrote between two addresses; with False the pages are forgotten."""

    script: Script
    look: Callable[[Traced, int, int, bool], None]
    _held: dict[Holder, list[Reference]] = field(default_factory=dict)

    def hear(self, process: Traced, message: Message) -> None:
        """Take in a message about memory; `a` and `b` of it are start and length, mostly."""
        start, stop = message.a, message.a + message.b
        match message.kind:
            case Kind.LOOK:
                process.announced.add((start, stop))
                self.look(process, start, stop, True)
            case Kind.ADVICE:
                self._advised(process, start, stop, message.c)
            case Kind.PROTECT:
                self._protected(process, start, stop, writable=bool(message.c & _PROT_WRITE))
            case Kind.PIN:
                self.look(process, start, stop, False)
                self._hold(process, Kind.PIN, message.c, self.script.pin(process.handle, start, stop))
            case Kind.UNPIN:
                self._release((process.pid, Kind.PIN, message.c))
            case Kind.SPLICE:
                taken = self.script.get(process.handle, start, stop, write=False, coherent=False)
                self._hold(process, Kind.SPLICE, message.c, taken)
            case Kind.DIRECT:
                taken = self.script.get(process.handle, start, stop, write=bool(message.number), coherent=True)
                self._hold(process, Kind.DIRECT, message.c, taken)
            case Kind.DIRECT_END:
                self._transferred((process.pid, Kind.DIRECT, message.c), message)

    def discarded(self, process: Traced, start: int, stop: int) -> None:
        """Pages are taken away by madvise or munmap."""
        if start in process.freed:
            process.freed.discard(start)
            self.script.missed[FREED] += 1
            return
        self.script.discard(process.handle, start, stop)
        if process.window:
            process.window.discard(start, stop)

    def unmapped(self, process: Traced, start: int, stop: int) -> None:
        """Mappings are gone; whoever announced that was looked at before."""
        if not any(first <= start and stop <= last for first, last in process.announced):
            self.script.missed[UNANNOUNCED] += 1
        process.announced.clear()
        self.discarded(process, start, stop)

    def moved(self, process: Traced, moved: Moved) -> None:
        """Pages keep their frames under other numbers; no operation says so."""
        target = moved.target, moved.target + moved.length
        self.discarded(process, moved.source, moved.source + moved.length)
        self.discarded(process, *target)
        pages, _ = process.there(*target)
        self.script.missed[MOVED] += len(pages)
        self.script.write(process.handle, pages)

    def forks(self, process: Traced) -> None:
        """A process is about to fork: of what children do not get, also the pages that came since are left out."""
        for (start, stop), told in process.spared.items():
            process.spared[start, stop] = self.script.dontfork(process.handle, start, stop, told)

    def ended(self, process: Traced) -> None:
        """A process is gone, or its memory is; what it held is released but for what is in a pipe."""
        for holder in [holder for holder in self._held if holder[0] == process.pid and holder[1] != Kind.SPLICE]:
            self._release(holder)

    def settle(self) -> None:
        """Release what was in pipes that are empty by now."""
        for pid, kind, pipe in list(self._held):
            if kind == Kind.SPLICE and not _waiting(pid, pipe):
                self._release((pid, kind, pipe))

    def _hold(self, process: Traced, kind: Kind, key: int, reference: Reference) -> None:
        self._held.setdefault((process.pid, kind, key), []).append(reference)

    def _release(self, holder: Holder) -> None:
        for reference in self._held.pop(holder, ()):
            self.script.release(reference)

    def _transferred(self, holder: Holder, message: Message) -> None:
        if message.a:
            for reference in self._held.get(holder, ()):
                self.script.transfer(reference, into_memory=bool(message.number))
        self._release(holder)

    def _advised(self, process: Traced, start: int, stop: int, advice: int) -> None:
        match advice:
            case 8:  # MADV_FREE
                process.freed.add(start)
            case 10:  # MADV_DONTFORK
                process.spared[start, stop] = self.script.dontfork(process.handle, start, stop)
            case 11:  # MADV_DOFORK
                before = len(process.spared)
                process.spared = {span: n for span, n in process.spared.items() if span[1] <= start or stop <= span[0]}
                self.script.missed[DOFORK] += before - len(process.spared)
            case 21 if has_swap():  # MADV_PAGEOUT
                self.look(process, start, stop, True)
                self.script.page_out(process.handle, start, stop)
            case 21:
                self.script.missed[NO_SWAP] += 1

    def _protected(self, process: Traced, start: int, stop: int, writable: bool) -> None:
        """Read-only and back is one operation, on the pages that went both ways."""
        if not writable:
            process.sealed.append((start, stop))
            return
        still: list[Range] = []
        for first, last in process.sealed:
            low, high = max(first, start), min(last, stop)
            if low < high:
                self.look(process, low, high, True)
                self.script.protect(process.handle, low, high)
                still += [span for span in ((first, low), (high, last)) if span[0] < span[1]]
            else:
                still.append((first, last))
        process.sealed = still


def has_swap() -> bool:
    """Tell whether this machine has any swap."""
    return len(Path("/proc/swaps").read_text().splitlines()) > 1


def _waiting(pid: int, pipe: int) -> bool:
    """Tell whether a pipe holds anything; one that its process closed does not."""
    try:
        end = os.open(f"/proc/{pid}/fd/{pipe}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        left = fcntl.ioctl(end, termios.FIONREAD, bytes(4))
    except OSError:
        return False
    finally:
        os.close(end)
    return struct.unpack("i", left)[0] > 0
