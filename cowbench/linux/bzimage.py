"""Is this file a kernel that QEMU can boot? The header is that of Documentation/arch/x86/boot.rst of Linux."""

from __future__ import annotations

import struct
from pathlib import Path

from cowbench.errors import KernelError

_HEADER_BYTES = 0x264
_SIXTY_FOUR_BITS = 1  # XLF_KERNEL_64 of xloadflags


def check_image(path: Path) -> None:
    """Raise KernelError if `path` is not a whole bzImage for x86-64."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise KernelError(f"cannot read the kernel {path}: {error.strerror}") from None
    if len(head) < _HEADER_BYTES or head[0x1FE:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS":
        raise KernelError(f"{path} is no bzImage: its boot header is missing")
    version, load_flags = struct.unpack_from("<H", head, 0x206)[0], struct.unpack_from("<H", head, 0x236)[0]
    if version < 0x20C or not load_flags & _SIXTY_FOUR_BITS:
        raise KernelError(f"{path} is a kernel, but not one for x86-64")
    sectors, paragraphs = head[0x1F1], struct.unpack_from("<I", head, 0x1F4)[0]
    whole = (sectors + 1) * 512 + paragraphs * 16
    if size < whole:
        raise KernelError(f"{path} is truncated: {size:,} bytes of {whole:,}; get it again")
