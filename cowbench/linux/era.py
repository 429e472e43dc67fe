"""Which policy a kernel should follow, by its release (docs/model.md says where each rule was read)."""

from __future__ import annotations

import re

from cowbench.errors import KernelError

ERAS: tuple[tuple[tuple[int, int, int], str], ...] = (
    ((7, 3, 0), "anon_exclusive:kernel=7.3"),
    ((7, 0, 0), "anon_exclusive:kernel=7.0"),
    ((6, 14, 0), "anon_exclusive:kernel=6.19"),
    ((6, 9, 0), "anon_exclusive:kernel=6.12"),
    ((6, 2, 0), "anon_exclusive:kernel=6.6"),
    ((6, 0, 0), "anon_exclusive:kernel=6.1"),
    ((5, 19, 0), "anon_exclusive:kernel=5.19"),
    ((5, 18, 0), "page_count_5_18"),
    ((5, 14, 0), "has_pinned:variant=5.17"),
    ((5, 10, 44), "has_pinned:variant=5.11"),
    ((5, 9, 0), "has_pinned:variant=5.9"),
    ((5, 8, 0), "forced_cow"),
    ((0, 0, 0), "mapcount"),
)
"""First release of an era, newest first; 5.10.44 has the guards of 5.11. 7.1 and 7.2 have not been looked at."""
LATE = 999


def era(release: str) -> str:
    """Return the spec of the policy that a kernel of this release (`uname -r`) should follow."""
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if numbers is None:
        raise KernelError(f"release '{release}' is no kernel version; name the policy with --policy")
    version = tuple(int(number or 0) for number in numbers.groups())
    if re.match(r"\d+\.\d+\.0-\d", release):  # a distribution's: 0 for whatever stable release it is built from
        version = (*version[:2], LATE)
    return next(spec for first, spec in ERAS if version >= first)
