"""The built wheel behaves as the checkout does, plug-ins included, and installs nothing but cowbench."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("cowbench-*.whl")
    return made


def test_the_wheel_holds_every_plugin_inside_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"cowbench", f"{wheel.name.rpartition('-py3')[0]}.dist-info"}
    for folder in ("policies", "workloads", "reports"):
        files = [file for file in (ROOT / folder).iterdir() if file.is_file()]
        assert {f"cowbench/{folder}/{file.name}" for file in files} <= set(names)
    for part in (
        "py.typed",
        "profiles/published.json",
        "report/page.html.j2",
        "report/style.css",
        "report/page.js",
        "report/report.typ",
    ):
        assert f"cowbench/{part}" in names


def test_the_installed_wheel_lists_checks_runs_and_reports(wheel: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = installed(wheel, tmp_path / "venv", environment)

    def call(*words: str) -> str:
        return output([str(python.with_name("cowbench")), *words], tmp_path, environment)

    where = output([str(python), "-c", "import cowbench; print(cowbench.__file__)"], tmp_path, environment)
    assert Path(where.strip()).is_relative_to(tmp_path)
    listed = call("list", "policies").splitlines()
    assert {line.split()[0] for line in listed} >= {file.stem for file in (ROOT / "policies").glob("[a-z]*.py")}
    assert "4 run now" in call("run", "-p", "mapcount,oracle", "-w", "trace,short_pin", "--seeds", "1", "--jobs", "2")
    assert "18" in call("show")
    assert "keeps its contract" in call("check", "page_count")
    call("report")
    assert "The answer" in (tmp_path / "report" / "index.html").read_text()


def output(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(wheel: Path, folder: Path, environment: dict[str, str]) -> Path:
    """Install the wheel alone; its dependencies are those of the environment that runs the tests."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    words = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*words, "--disable-pip-version-check", str(wheel)], env=environment, check=True)
    # A link file to the tests' own site-packages: --system-site-packages would show those of the base interpreter only.
    (site,) = folder.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(libraries) + "\n")
    return python
