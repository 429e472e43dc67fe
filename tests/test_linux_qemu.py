"""Kernels that do not boot, and why, in one line each."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from cowbench.errors import KernelError
from cowbench.linux import build
from cowbench.linux.bzimage import check_image
from cowbench.linux.cache import cache_folder
from cowbench.linux.initramfs import initramfs
from cowbench.linux.opening import image_path
from cowbench.linux.qemu import Qemu, explain

SECTORS, PARAGRAPHS = 3, 100


def header(*, magic: bytes = b"HdrS", load_flags: int = 1) -> bytes:
    """A boot header that announces (SECTORS + 1) * 512 + PARAGRAPHS * 16 bytes."""
    head = bytearray(0x264)
    head[0x1F1] = SECTORS
    struct.pack_into("<I", head, 0x1F4, PARAGRAPHS)
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = magic
    struct.pack_into("<H", head, 0x206, 0x20F)
    struct.pack_into("<H", head, 0x236, load_flags)
    return bytes(head)


def image(folder: Path, head: bytes, size: int = (SECTORS + 1) * 512 + PARAGRAPHS * 16) -> Path:
    path = folder / "bzImage"
    path.write_bytes(head.ljust(size, b"\0")[:size])
    return path


def test_a_whole_image_is_taken(tmp_path: Path) -> None:
    check_image(image(tmp_path, header()))


@pytest.mark.parametrize(
    ("head", "size", "words"),
    [
        (header(), 3647, "is truncated: 3,647 bytes of 3,648"),
        (header(magic=b"ELF?"), 3648, "is no bzImage"),
        (b"short", 5, "is no bzImage"),
        (header(load_flags=0), 3648, "not one for x86-64"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, head: bytes, size: int, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        check_image(image(tmp_path, head, size))


def test_a_missing_kernel_is_named(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"cannot read the kernel .*none: No such file"):
        check_image(tmp_path / "none")
    with pytest.raises(KernelError, match=r"bzImgae: no such file; a kernel is host, the path of a bzImage, or"):
        image_path("bzImgae")


def test_without_qemu_or_compiler_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COWBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(KernelError, match="no qemu-system-x86_64 on PATH: install qemu-system-x86"):
        Qemu(tmp_path / "bzImage", b"", accelerator="tcg")
    with pytest.raises(KernelError, match="no C compiler: install gcc"):
        build.agent()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COWBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(KernelError, match=r"cannot write the cache .*file/kernels: Not a directory; set COW"):
        cache_folder("kernels")


PANIC = """[    1.5] Run /init as init process
[    1.6] Failed to execute /init (error -8)
[    1.7] Kernel panic - not syncing: No working init found.
[    1.8] CPU: 1 PID: 1 Comm: swapper/0
"""


def test_a_panic_is_told_with_what_came_before() -> None:
    words = explain(0, PANIC, "")
    assert words.startswith("the guest panicked: Kernel panic - not syncing: No working init found.; before that: ")
    assert words.endswith("Run /init as init process | Failed to execute /init (error -8)")


def test_a_hang_a_reboot_and_a_failing_qemu_are_told_apart() -> None:
    assert explain(None, "[ 0.1] one\r\ntwo\r\n", "") == "the guest hangs; its last words: one | two"
    assert explain(None, "", "") == "the guest hangs; it printed nothing"
    assert explain(0, "bye\n", "") == "the guest powered off or rebooted by itself; its last words: bye"
    assert explain(1, "", "no such machine") == "QEMU ended (exit code 1): no such machine"


def test_an_initramfs_unpacks_to_its_entries() -> None:
    assert entries(initramfs(b"\x7fELF program")) == {
        **dict.fromkeys(("dev", "proc", "sys"), (0o40755, b"", (0, 0))),
        "dev/console": (0o20600, b"", (5, 1)),
        "init": (0o100755, b"\x7fELF program", (0, 0)),
    }


def entries(archive: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """Read a newc archive: name -> mode, data, device."""
    found: dict[str, tuple[int, bytes, tuple[int, int]]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 110 + numbers[11] - 1].decode()
        at += (110 + numbers[11] + 3) // 4 * 4
        data = archive[at : at + numbers[6]]
        at += (numbers[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = numbers[1], data, (numbers[9], numbers[10])
