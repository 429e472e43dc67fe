"""Packages of Debian suites other than the one a host is set up for, without touching the host's own state.

apt runs on a private state: the mirror and the keys are the host's own, only the names of the suites are added.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cowbench.errors import KernelError

SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "forky", "sid")
"""Suites that may hold a kernel; one that the mirror has no longer is passed over."""
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NO_HOOKS = "".join(f"#clear {hook};\n" for hook in ("APT::Update", "DPkg::Post-Invoke"))
"""The host's own hooks refresh or empty its caches, which are none of ours."""
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Package:
    """One package that can be had: name, version as the distribution writes it."""

    name: str
    version: str


class Apt:
    """apt-get and apt-cache on a state of their own in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Raises KernelError if there is no apt, or none of the host's sources is a Debian mirror."""
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise KernelError(f"no {tool} on PATH: distribution kernels need Debian's package manager")
        mirror = _mirror()
        parts = folder / "apt.conf.d"
        for made in (parts, folder / "sources", folder / "lists/partial", folder / "cache/archives/partial"):
            made.mkdir(parents=True)
        for theirs in sorted(Path("/etc/apt/apt.conf.d").glob("*")):  # proxies and the like
            (parts / theirs.name).symlink_to(theirs)
        (parts / "zz-cowbench.conf").write_text(_NO_HOOKS)
        (folder / "sources/debian.sources").write_text(_sources(mirror))
        self._folder = folder

    def update(self) -> None:
        """Fetch the lists of packages. Raises KernelError if none could be fetched."""
        result = self._run("apt-get", "update")
        if not list(self._folder.glob("lists/*_Packages*")):
            words = [line for line in result.stderr.splitlines() if line.startswith(("E:", "W:"))]
            reason = words[0][3:] if words else "no answer"
            raise KernelError(f"no list of packages could be fetched, is there a network? apt says: {reason}")

    def search(self, pattern: str) -> list[Package]:
        """All versions of all packages whose name matches the regular expression `pattern`."""
        found = self._run("apt-cache", "search", "--names-only", pattern).stdout
        names = [line.split()[0] for line in found.splitlines()]
        if not names:
            return []
        stanzas = self._run("apt-cache", "show", *names).stdout.split("\n\n")
        fields = [dict(re.findall(r"^(\w+): (.*)$", stanza, re.MULTILINE)) for stanza in stanzas]
        return [Package(one["Package"], one["Version"]) for one in fields if "Package" in one]

    def download(self, package: Package) -> Path:
        """Fetch one package; apt holds it against the signed list. Raises KernelError."""
        result = self._run("apt-get", "download", f"{package.name}={package.version}")
        files = list(self._folder.glob("*.deb"))
        if result.returncode or not files:
            reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise KernelError(f"{package.name} {package.version} could not be downloaded; apt says: {reason}")
        return files[0]

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = {
            "Dir::Etc::Parts": self._folder / "apt.conf.d",
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": self._folder / "sources",
            "Dir::State": self._folder,
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self._folder / "cache",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Sandbox::User": "root",  # the user _apt may not enter a private folder
            "Acquire::Languages": "none",
            "Acquire::Retries": 1,
        }
        words = [f"-o{key}={value}" for key, value in options.items()]
        try:
            return _call([tool, *words, *arguments], self._folder)
        except subprocess.TimeoutExpired:
            raise KernelError(f"{tool} {arguments[0]} took longer than {_TIMEOUT_S} s; is there a network?") from None


def unpack(package: Path, folder: Path) -> None:
    """Unpack the files of a package into `folder`. Raises KernelError."""
    result = _call(["dpkg-deb", "--extract", str(package), str(folder)], folder.parent)
    if result.returncode:
        raise KernelError(f"{package.name} cannot be unpacked; dpkg-deb says: {result.stderr.strip()}")


def _call(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)


def _mirror() -> str:
    """The first of the host's own sources that serves a Debian suite."""
    words = ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    for line in _call(words, Path("/")).stdout.splitlines():
        release, component, address = line.split(maxsplit=2)
        if release in SUITES and component == "main":
            return address
    raise KernelError("none of this host's package sources serves Debian; give the path of a bzImage instead")


def _sources(mirror: str) -> str:
    signed = f"Signed-By: {_KEYRING}\n" if _KEYRING.exists() else ""
    return "\n".join(f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n{signed}" for suite in SUITES)
