"""Kernels of distributions: get one with the package manager, keep its image, find it again by name.

A name is `distribution:version`, the version as precise as one likes: debian:6.1 is the newest 6.1 there is.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cowbench.errors import KernelError
from cowbench.linux.apt import Apt, Package, unpack
from cowbench.linux.cache import cache_folder

_PATTERNS = {"debian": r"^linux-(image|binary)-[0-9].*-cloud-amd64$"}
"""Distribution -> names of its kernel packages. The image itself is in linux-binary-* from 6.19 on."""
_FACTS = "facts.json"


@dataclass(frozen=True)
class Image:
    """A cached kernel: its name, the package and version it came from, and the SHA-256 of the file vmlinuz."""

    name: str
    package: str
    package_version: str
    sha256: str

    @property
    def path(self) -> Path:
        """The bzImage."""
        return cache_folder("kernels") / self.name / "vmlinuz"


def cached() -> list[Image]:
    """All kernels in the cache, oldest version first. Raises KernelError if the cache cannot be used."""
    files = cache_folder("kernels").glob(f"*/{_FACTS}")
    return sorted((Image(**json.loads(file.read_text())) for file in files), key=lambda image: _numbers(image.name))


def find(name: str) -> Image:
    """The newest cached kernel that `name` fits. Raises KernelError, naming what is cached."""
    distribution, version = _parse(name)
    fitting = [image for image in cached() if _fits(image.name.partition(":")[2], version)]
    fitting = [image for image in fitting if image.name.startswith(f"{distribution}:")]
    if not fitting:
        there = ", ".join(image.name for image in cached()) or "none"
        raise KernelError(f"no kernel {name} is cached (cached: {there}); cowbench kernel get {name} fetches it")
    return fitting[-1]


def get(name: str, say: Callable[[str], None]) -> Image:
    """Find, download and unpack the newest kernel that `name` fits; `say` is told each step.

    Raises KernelError: unknown distribution or version, no package manager, no network, cache not writable.
    """
    distribution, version = _parse(name)
    with tempfile.TemporaryDirectory(prefix=".get-", dir=cache_folder("kernels")) as scratch:
        apt = Apt(Path(scratch) / "apt")
        say("fetching the lists of packages ...")
        apt.update()
        package = _newest(apt.search(_PATTERNS[distribution]), name, version)
        say(f"fetching {package.name} {package.version} ...")
        unpack(apt.download(package), Path(scratch) / "package")
        return _keep(Path(scratch), distribution, package)


def _keep(scratch: Path, distribution: str, package: Package) -> Image:
    """Move the image, and nothing else of the package, to its place; whoever came first keeps it."""
    images = [file for file in (scratch / "package").rglob("vmlinuz*") if file.is_file()]
    if len(images) != 1:
        raise KernelError(f"{package.name} holds {len(images)} files vmlinuz*, where one was expected")
    sha256 = hashlib.sha256(images[0].read_bytes()).hexdigest()
    image = Image(f"{distribution}:{_upstream(package)}", package.name, package.version, sha256)
    made = scratch / image.name
    made.mkdir()
    shutil.move(images[0], made / "vmlinuz")
    (made / _FACTS).write_text(json.dumps(asdict(image), indent=1) + "\n")
    if not image.path.exists():
        made.rename(image.path.parent)
    return find(image.name)


def _newest(packages: list[Package], name: str, version: str) -> Package:
    fitting = [package for package in packages if _fits(_upstream(package), version)]
    if not fitting:
        series = {_numbers(_upstream(package))[:2] for package in packages}
        there = ", ".join(".".join(map(str, numbers)) for numbers in sorted(series)) or "none"
        raise KernelError(f"no kernel {name} is to be had; there are: {there}")
    # At one version linux-image-* is an empty shell around linux-binary-*.
    return max(fitting, key=lambda package: (_numbers(package.version), package.name.startswith("linux-binary-")))


def _parse(name: str) -> tuple[str, str]:
    distribution, colon, version = name.partition(":")
    if distribution not in _PATTERNS:
        raise KernelError(f"unknown distribution {distribution!r} in {name!r}; there is: {', '.join(_PATTERNS)}")
    if not colon or not re.fullmatch(r"\d+(\.\d+)*", version):
        raise KernelError(f"{name!r} names no version; write for example {distribution}:6.1")
    return distribution, version


def _fits(version: str, wanted: str) -> bool:
    """6.1 fits 6.1.176, not 6.12."""
    return f"{version}.".startswith(f"{wanted}.")


def _upstream(package: Package) -> str:
    """6.1.176 of 6.1.176-1."""
    return package.version.partition("-")[0]


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version, to sort by."""
    return tuple(map(int, re.findall(r"\d+", version)))
