"""What a copy-on-write policy decides.

A policy file holds one subclass of Policy; its name is the file's. Its methods get views of batches (see views.py)
and answer with boolean arrays, one entry a page. The rules of past kernels are in rules.py, ready to be called.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from cowbench.kernels import LINUX_5_7, KernelFlags
from cowbench.parameters import Parametrised, parameter
from cowbench.views import ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault

__all__ = ["EarlyCopyPolicy", "Policy", "parameter"]


class Policy(Parametrised):
    """Base of every policy. Override `reuse` at least; the rest shares at fork and remembers nothing.

    kernels: the releases it stands for, in words. sees_truth: asks for what no kernel can see (oracles only).
    copies_swap_entries: fork gives the child its own frame for swapped-out pages too.
    """

    kernels: ClassVar[str] = ""
    sees_truth: ClassVar[bool] = False
    copies_swap_entries: ClassVar[bool] = False

    def flags(self) -> KernelFlags:
        """Return the kernel behaviours this policy runs on."""
        return LINUX_5_7

    def reuse(self, fault: WriteFault) -> Mask:
        """Answer write faults on present read-only pages: True to reuse the page, False to copy it."""
        raise NotImplementedError(f"policy {self.name} has no reuse()")

    def swap_in(self, fault: SwapIn) -> Mask:
        """Answer swap-ins: True if the page is the process's own (a write then maps it writable)."""
        return np.ones(len(fault), np.bool_)

    def early_scan(self, mm: Mm) -> Scan:
        """Say which pages fork must show to `copy_early`."""
        return "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        """Choose the pages that fork copies for the child at once."""
        return np.zeros(len(fork), np.bool_)

    def unshare(self, request: GupPages) -> Mask:
        """Choose the pages that take an unshare fault before a reference for reading is taken."""
        return np.zeros(len(request), np.bool_)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        """Remember a FOLL_PIN of `pages` pages, before the page tables are walked."""

    def on_unpin(self, mm: Mm, pages: int, longterm: bool) -> None:
        """Remember that a FOLL_PIN of `pages` pages was released; `mm` is that of its owner."""


class EarlyCopyPolicy(Policy):
    """Base of policies that copy at fork, with the choices that the thread of September 2020 left open."""

    gfp: Literal["sleep", "atomic"] = parameter(
        "sleep", help="allocate early copies outside the page-table lock, or atomically under it from the reserve"
    )
    on_failure: Literal["fail", "share"] = parameter("fail", help="fail fork with -ENOMEM, or silently share the page")
    charge: Literal["parent", "child"] = parameter("parent", help="whose memory cgroup pays for an early copy")
