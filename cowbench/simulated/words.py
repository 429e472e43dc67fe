"""The page table entry: one uint32 word a page.

0 = none. PRESENT | frame (frame 0: the zero page), with WRITE and EXCLUSIVE. Without PRESENT: a swap entry, slot
number in the
low bits, with EXCLUSIVE. Rare bits (not dirty, tracked) live in a side table that exists only once needed.
"""

import numpy as np

WRITE = np.uint32(1 << 31)
EXCLUSIVE = np.uint32(1 << 30)
PRESENT = np.uint32(1 << 29)
NUMBER = np.uint32((1 << 29) - 1)
KEEP = np.uint32(~(int(WRITE) | int(EXCLUSIVE)) & 0xFFFFFFFF)
"""What fork leaves of an entry."""
ZERO_PAGE = PRESENT
"""The word of the zero page."""

CLEAN = np.uint8(1)
"""Mark: the entry is not dirty."""
TRACKED = np.uint8(2)
"""Mark: soft-dirty was cleared; the next write must fault."""
