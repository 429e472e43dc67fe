"""What kernels do around the copy-on-write rules, release by release, as frozen flags.

Where each flag was read, by release, is said beside it; functions are those of the Linux source tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class KernelFlags:
    """Behaviours a policy runs on; the defaults are those of 5.7.

    lru_batch: entries of a per-CPU LRU batch; 15 up to 6.8, 31 from 6.12 (include/linux/pagevec.h).
    zap_exit_drain: munmap, MADV_DONTNEED and exit drain the local batch; up to 6.13 (1aa43598c03b removed it).
    fork_guard: GUP-fast pins back off while fork runs (write_protect_seq; 57efa1fe5957, 5.11).
    reclaim_refuses_pins: pages with 1024 references or more are not put into the swap cache (feb889fb40fa, 5.11).
    fork_guards_gets: GUP-fast for FOLL_GET backs off as well (no kernel does; what keeping every reference would take).
    reclaim_refuses_references: pages with references that neither mappings nor the swap cache explain stay mapped (no
        kernel does; the same).
    wp_copy_frees_idle_swapcache: after a copy the old page's swap cache is freed if idle (f4c4a3f48480, before 5.17).
    anon_exclusive: pages remember that they belong to one mm only (6c287605fd56, 5.19).
    mprotect_maps_writable: mprotect maps exclusive pages writable, if "dirty" (64fe24a3e05e, 6.1) or always (6.2).
    swapin_read_maps_writable: a read swap-in of an exclusive page gives a writable entry (6.12, not 6.8).
    sync_swap_bypass: pages of synchronous devices with one owner are read outside the swap cache (5.7 to 6.19).
    reads_break_cow: GUP for reading takes a write fault first (17839856fd58, 5.8 only).
    freeze_writers: fork write-protects a page before its early copy, so that writers wait (June 2025, not merged).
    """

    lru_batch: int = 15
    zap_exit_drain: bool = True
    fork_guard: bool = False
    reclaim_refuses_pins: bool = False
    fork_guards_gets: bool = False
    reclaim_refuses_references: bool = False
    wp_copy_frees_idle_swapcache: bool = False
    anon_exclusive: bool = False
    mprotect_maps_writable: Literal["never", "dirty", "always"] = "never"
    swapin_read_maps_writable: bool = False
    sync_swap_bypass: bool = True
    reads_break_cow: bool = False
    freeze_writers: bool = False


LINUX_5_7 = KernelFlags()
LINUX_5_8 = replace(LINUX_5_7, reads_break_cow=True)
LINUX_5_9 = LINUX_5_7
LINUX_5_11 = replace(LINUX_5_9, fork_guard=True, reclaim_refuses_pins=True)
LINUX_5_17 = replace(LINUX_5_11, wp_copy_frees_idle_swapcache=True)
LINUX_5_19 = replace(LINUX_5_17, anon_exclusive=True)
LINUX_6_1 = replace(LINUX_5_19, mprotect_maps_writable="dirty")
LINUX_6_6 = replace(LINUX_6_1, mprotect_maps_writable="always")
LINUX_6_12 = replace(LINUX_6_6, lru_batch=31, swapin_read_maps_writable=True)
LINUX_6_19 = replace(LINUX_6_12, zap_exit_drain=False)
LINUX_7_3 = replace(LINUX_6_19, sync_swap_bypass=False)
