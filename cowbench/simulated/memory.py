"""What the parts of the simulated machine share, and the questions they ask of it: facts for a policy, and the
truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cowbench.errors import CowbenchError, PluginError
from cowbench.kernels import KernelFlags
from cowbench.ledger import Event, Ledger
from cowbench.machine import MachineConfig
from cowbench.policy import Policy
from cowbench.simulated.batches import BATCH_BITS, Batches
from cowbench.simulated.frames import (
    BATCHED,
    COUNT,
    CPU_SHIFT,
    LOCKED,
    LOOK,
    SWAP_CACHE,
    WRITEBACK,
    Frames,
    IntArray,
)
from cowbench.simulated.process import ProcessState
from cowbench.simulated.rows import Rows
from cowbench.simulated.slots import Slots
from cowbench.views import Columns, Mask, PageView, Truth, nowhere, zeros


@dataclass
class Memory:
    """Frames, swap, LRU batches, the policy with its kernel's flags, the ledger, and rows to be used again.

    tainted: some writable entry may map a frame that others observe; only then can a write without a fault leak.
    listener: is told of everything that is booked, with its pages; None if nobody follows.
    """

    config: MachineConfig
    policy: Policy
    flags: KernelFlags
    frames: Frames
    slots: Slots
    batches: Batches
    ledger: Ledger
    rows: Rows
    tainted: bool = False
    listener: Callable[[Event], None] | None = None


def ask(method: Callable[[Any], Mask], view: PageView) -> Mask:
    """Ask a policy about a view. Raises PluginError if the answer is no boolean array with one entry a page."""
    if not len(view):
        return np.zeros(0, np.bool_)
    try:
        answer = method(view)
    except CowbenchError:
        raise
    except Exception as error:
        raise PluginError(f"{_named(method)} raised {type(error).__name__}: {error}") from error
    if not (isinstance(answer, np.ndarray) and answer.dtype == np.bool_ and answer.shape == (len(view),)):
        what = f"{answer.dtype} array of shape {answer.shape}" if isinstance(answer, np.ndarray) else repr(answer)[:60]
        raise PluginError(f"{_named(method)} must return a bool array of shape ({len(view)},), not {what}")
    return answer


def _named(method: Callable[[Any], Mask]) -> str:
    return f"policy {getattr(method.__self__, 'name', '?')}: {method.__name__}()"  # type: ignore[attr-defined]


def look(memory: Memory, cpu: int, numbers: IntArray, exclusive: Mask) -> Columns:
    """Return what the kernel on `cpu` can see of the frames `numbers`."""
    return columns(memory, cpu, numbers, memory.frames.map[numbers], exclusive)


def columns(memory: Memory, cpu: int, numbers: IntArray, words: npt.NDArray[np.uint16], exclusive: Mask) -> Columns:
    """As `look`, with the entries of `Frames.map` at hand."""
    frames, size = memory.frames, len(words)
    if not size or words.max() < LOOK:
        return Columns.plain(words.astype(np.int32), exclusive)
    flagged = np.flatnonzero(words >= LOOK)
    there = numbers[flagged]
    mapcount = (words & COUNT).astype(np.int32)
    refcount = mapcount.copy()
    refcount[flagged] += frames.extra[there]
    state = frames.state[there]
    cached = _spread(size, flagged, (state & SWAP_CACHE) != 0)
    swap_count = zeros(size)
    if cached.any():
        swap_count = np.zeros(size, np.int32)
        at = np.flatnonzero(cached)
        swap_count[at] = memory.slots.count[frames.slot[numbers[at]]]
    batched = _spread(size, flagged, (state & BATCHED) != 0)
    here = np.uint8(int(BATCHED) | cpu << int(CPU_SHIFT))
    return Columns(
        refcount=refcount,
        mapcount=mapcount,
        swap_count=swap_count,
        exclusive=exclusive,
        in_swap_cache=cached,
        writeback=_spread(size, flagged, (state & WRITEBACK) != 0),
        locked=_spread(size, flagged, (state & LOCKED) != 0),
        on_lru=~batched,
        local=_spread(size, flagged, (state & BATCH_BITS) == here),
        entering=nowhere(size),
    )


def _spread(size: int, at: IntArray, values: Mask) -> Mask:
    """Return a mask of `size` that holds `values` at `at`."""
    if not values.any():
        return nowhere(size)
    mask = np.zeros(size, np.bool_)
    mask[at] = values
    return mask


def _foreign(memory: Memory, process: ProcessState, numbers: IntArray, columns: Columns) -> Mask:
    """Return which frames have a live reference that `process` does not own: all references are in the refcount."""
    held = np.flatnonzero(columns.refcount != columns.mapcount)
    there = numbers[held]
    return _spread(len(numbers), held, memory.frames.owners[there] > process.owned(there))


def observed(
    memory: Memory, process: ProcessState, numbers: IntArray, columns: Columns, *, mapped: int = 1, swapped: int = 0
) -> Mask:
    """Return which frames have an observer besides `process`, with its own `mapped` mappings and `swapped` entries."""
    others: Mask = columns.mapcount > mapped
    if not columns.settled:
        others |= columns.swap_count > swapped
        others |= _foreign(memory, process, numbers, columns)
    return others


def truth(memory: Memory, observed: Mask, coherent: Mask | None = None) -> Truth | None:
    """Return the truth for a policy that may see it, else None."""
    if not memory.policy.sees_truth:
        return None
    return Truth(observed, np.zeros(len(observed), np.bool_) if coherent is None else coherent)
