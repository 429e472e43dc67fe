"""The smallest root file system that a kernel boots from: one program as /init, and folders to mount on.

The format is "newc" cpio (Documentation/driver-api/early-userspace/buffer-format.rst of Linux): each entry is a header
of 13 numbers of eight hexadecimal digits, the name and the data, both padded to four bytes.
"""

from __future__ import annotations

import stat

_FOLDER = stat.S_IFDIR | 0o755
_PROGRAM = stat.S_IFREG | 0o755
_CONSOLE = stat.S_IFCHR | 0o600


def initramfs(init: bytes) -> bytes:
    """Return an initramfs that holds the program `init` as /init, /dev/console, and empty /proc and /sys."""
    entries = [_entry(folder, _FOLDER) for folder in ("dev", "proc", "sys")]
    entries += [_entry("dev/console", _CONSOLE, device=(5, 1)), _entry("init", _PROGRAM, init)]
    return b"".join([*entries, _entry("TRAILER!!!", 0)])


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    path = name.encode() + b"\0"
    inode, owner, group, links, time, check = 0, 0, 0, 1, 0, 0
    disk = (0, 0)
    numbers = (inode, mode, owner, group, links, time, len(data), *disk, *device, len(path), check)
    header = "070701" + "".join(f"{number:08x}" for number in numbers)
    return _padded(header.encode() + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
