"""Kernels from a distribution, with a package manager that the tests play."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cowbench.cli import cli
from cowbench.errors import KernelError
from cowbench.linux import apt, packages

OFFERED = {
    "linux-image-6.1.0-9-cloud-amd64": "6.1.9-1",
    "linux-image-6.1.0-47-cloud-amd64": "6.1.170-3",
    "linux-image-6.12.1-cloud-amd64": "6.12.1-1",
    "linux-image-7.0.4-cloud-amd64": "7.0.4-1~bpo13+1",
    "linux-binary-7.0.4-cloud-amd64": "7.0.4-1~bpo13+1",
}
APT_GET = """#!/bin/sh
for last; do :; done
case "$*" in
*indextargets*) echo "bookworm main mirror:/debian/" ;;
*update*) [ -e {folder}/offline ] && { echo "E: Failed to fetch mirror:/debian" >&2; exit 0; }
    touch "$(dirname "$PWD")/apt/lists/x_Packages"; cp sources/debian.sources {folder}/seen ;;
*download*) touch "${last%%=*}.deb" ;;
esac
"""
APT_CACHE = """#!/bin/sh
case "$*" in *search*) cat {folder}/names ;; *) cat {folder}/stanzas ;; esac
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/boot"; case "$2" in *linux-binary-*) d="$3/usr/lib/modules/x"; mkdir -p $d ;; *) d="$3/boot" ;; esac
basename "$2" > "$d/vmlinuz-x"
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose apt-get, apt-cache and dpkg-deb are scripts; returns the folder of what they serve."""
    for name, text in {"apt-get": APT_GET, "apt-cache": APT_CACHE, "dpkg-deb": DPKG_DEB}.items():
        program = tmp_path / name
        program.write_text(text.replace("{folder}", str(tmp_path)))
        program.chmod(0o755)
    (tmp_path / "names").write_text("".join(f"{name} - Linux\n" for name in OFFERED))
    stanzas = [f"Package: {name}\nVersion: {version}\nDepends: x\n" for name, version in OFFERED.items()]
    (tmp_path / "stanzas").write_text("\n".join(stanzas))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("COWBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def quiet(words: str) -> None:
    assert words.startswith("fetching ")


def test_the_newest_version_of_a_series_is_kept_and_found(host: Path) -> None:
    image = packages.get("debian:6.1", quiet)
    assert (image.name, image.package) == ("debian:6.1.170", "linux-image-6.1.0-47-cloud-amd64")
    assert image.path.read_text() == "linux-image-6.1.0-47-cloud-amd64.deb\n"
    assert packages.find("debian:6") == packages.find("debian:6.1") == packages.cached()[0] == image
    assert [file.name for file in (host / "cache/kernels").iterdir()] == ["debian:6.1.170"]  # nothing else is left
    assert set(json.loads((image.path.parent / "facts.json").read_text())) == set(vars(image))


def test_the_image_of_later_kernels_is_in_another_package(host: Path) -> None:
    assert packages.get("debian:7.0", quiet).package == "linux-binary-7.0.4-cloud-amd64"


def test_the_host_s_mirror_serves_every_suite(host: Path) -> None:
    packages.get("debian:6.12", quiet)
    seen = (host / "seen").read_text()
    assert seen.count("URIs: mirror:/debian/\n") == len(apt.SUITES)
    assert all(f"Suites: {suite}\n" in seen for suite in apt.SUITES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("debian:6.9", "no kernel debian:6.9 is to be had; there are: 6.1, 6.12, 7.0"),
        ("debian:6.1.1", "no kernel debian:6.1.1 is to be had"),
        ("fedora:6.1", "unknown distribution 'fedora' in 'fedora:6.1'; there is: debian"),
        ("debian", "'debian' names no version; write for example debian:6.1"),
        ("debian:../x", "names no version"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(host: Path, name: str, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        packages.get(name, quiet)


def test_without_network_apt_s_reason_is_given(host: Path) -> None:
    (host / "offline").write_text("")
    with pytest.raises(KernelError, match=r"is there a network.* Failed to fetch mirror:/debian"):
        packages.get("debian:6.1", quiet)
    assert packages.cached() == []


def test_a_host_without_apt_or_without_debian_is_told(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "apt-get").write_text("#!/bin/sh\necho 'noble main mirror:/ubuntu/'\n")
    with pytest.raises(KernelError, match="none of this host's package sources serves Debian"):
        packages.get("debian:6.1", quiet)
    monkeypatch.setenv("PATH", str(host / "empty"))
    with pytest.raises(KernelError, match="no apt-get on PATH"):
        packages.get("debian:6.1", quiet)


def test_commands_answer_in_one_line(host: Path) -> None:
    run = CliRunner().invoke
    assert "no kernel is cached" in run(cli, ["kernel", "list"]).output
    for words in (["get", "fedora:6.1"], ["abilities", "--kernel", "debian:6.1"], ["abilities", "--kernel", "none"]):
        result = run(cli, ["kernel", *words])
        assert (result.exit_code, result.output.count("\n")) == (2, 1), result.output
    result = run(cli, ["kernel", "get", "debian:6.1"])
    assert (result.exit_code, result.stdout.split()[0]) == (0, "debian:6.1.170")
    assert "6.1.170-3" in run(cli, ["kernel", "list"]).output
