"""Finding and loading plug-in files by path: the built-in ones and a user's own, by the same code.

A plug-in file holds one class, a subclass of its kind's base; the plug-in's name is the file's stem. Built-in
files lie in policies/, workloads/ and reports/: inside the package in a wheel, beside it in a checkout. A
user's files are given by path, or lie in a folder of the same layout named by COWBENCH_PLUGINS.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from cowbench.errors import PluginError
from cowbench.parameters import nearest

Kind = Literal["policy", "workload", "section"]

ENVIRONMENT = "COWBENCH_PLUGINS"
"""Environment variable that names a user's folder with policies/, workloads/ and reports/ in it."""


@dataclass(frozen=True)
class _Kind:
    folder: str
    module: str
    base: str


KINDS: dict[Kind, _Kind] = {
    "policy": _Kind("policies", "cowbench.policy", "Policy"),
    "workload": _Kind("workloads", "cowbench.workload", "Workload"),
    "section": _Kind("reports", "cowbench.report.section", "Section"),
}


def available(kind: Kind) -> dict[str, Path]:
    """Return the file of every plug-in that can be named, broken or not: built-in ones first, then the user's."""
    return {name_of(kind, file): file for folder in _folders(kind) for file in _files(folder)}


def load(kind: Kind, name_or_path: str) -> type[Any]:
    """Return the class of a plug-in. Raises PluginError, in one line, if there is none or it does not load."""
    return load_file(kind, locate(kind, name_or_path))


def kind_of(name_or_path: str) -> Kind:
    """Return what a plug-in is: by its class if given by path, else by where its name is known."""
    kinds: tuple[Kind, ...] = ("policy", "workload", "section")
    if not _is_path(name_or_path):
        known = [kind for kind in kinds if name_or_path in available(kind)]
        if not known:
            everything = [name for kind in kinds for name in available(kind)]
            raise PluginError(f"no plug-in '{name_or_path}': {nearest(name_or_path, everything)}")
        return known[0]
    for kind in kinds:
        try:
            load(kind, name_or_path)
        except _NoClass:
            continue
        return kind
    raise PluginError(f"{name_or_path}: defines no policy, workload or section; see 'cowbench new'")


def locate(kind: Kind, name_or_path: str) -> Path:
    """Return the file of a plug-in given by name, or by path (with a slash or ending in .py).

    A path that leads nowhere from here is looked for in the folder of the built-in studies, which bring policies.
    """
    if _is_path(name_or_path):
        file = Path(name_or_path).expanduser().resolve()
        brought = data_folder("studies") / name_or_path
        return brought if not file.exists() and brought.is_file() else file
    known = available(kind)
    if name_or_path not in known:
        raise PluginError(f"no {kind} '{name_or_path}': {nearest(name_or_path, known)}")
    return known[name_or_path]


def built_in(kind: Kind, file: Path) -> bool:
    """Return whether a file is one of cowbench's own plug-ins."""
    return file.parent == _built_in(kind)


def load_file(kind: Kind, file: Path) -> type[Any]:
    """Return the class in `file`, named after it; files with the same contents are loaded once."""
    source = contents(kind, file)
    return _load(kind, file, digest_of(source), source)


def lend(file: Path, source: bytes) -> None:
    """Let a plug-in's file have these contents for this process, whatever its disk holds: they come from elsewhere."""
    _LENT[file] = source


_LENT: dict[Path, bytes] = {}


def name_of(kind: Kind, file: Path) -> str:
    """Return the name a file's plug-in has in results: its stem.

    A user's file that bears a built-in's name but holds something else is told apart by its contents, as in
    `mapcount@1f0c2b7a`.
    """
    built_in = _built_in(kind) / file.name
    if file == built_in or not built_in.is_file() or not (file in _LENT or file.is_file()):
        return file.stem
    digest = digest_of(contents(kind, file))
    return file.stem if digest == digest_of(built_in.read_bytes()) else f"{file.stem}@{digest[:8]}"


def digest_of(contents: bytes) -> str:
    """Return the hash of a file's contents that results are keyed by."""
    return hashlib.sha256(contents).hexdigest()


def file_digest(kind: Kind, file: Path) -> str:
    """Return the hash of a plug-in file."""
    return digest_of(contents(kind, file))


def describe(cls: type[Any]) -> str:
    """Return the first line of the docstring of a plug-in's file, without the name in front."""
    text = sys.modules[cls.__module__].__doc__ or ""
    first = text.strip().partition("\n")[0]
    stem = cls.name.partition("@")[0]
    return first.removeprefix(f"{stem}:").strip()


def line_in(error: BaseException, file: Path) -> int | None:
    """Return the line of `file` in which an exception arose, or None if it was elsewhere."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def words_of(error: BaseException) -> str:
    """Return an exception in one line: its type and message."""
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{type(error).__name__}: {' '.join(text.split())}".removesuffix(": ")


class _NoClass(PluginError):
    """The file defines nothing of the kind that was asked for."""


def _is_path(name_or_path: str) -> bool:
    return "/" in name_or_path or name_or_path.endswith(".py")


def _folders(kind: Kind) -> list[Path]:
    own = os.environ.get(ENVIRONMENT)
    folders = [_built_in(kind)]
    if own:
        folders.append(Path(own).expanduser().resolve() / KINDS[kind].folder)
    return folders


def _built_in(kind: Kind) -> Path:
    return data_folder(KINDS[kind].folder)


@cache
def data_folder(name: str) -> Path:
    """Return a folder of built-in files: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.py") if not file.name.startswith(("_", ".")))


def contents(kind: Kind, file: Path) -> bytes:
    """Return what a plug-in's file holds. Raises PluginError if it cannot be read."""
    if file in _LENT:
        return _LENT[file]
    try:
        return file.read_bytes()
    except OSError as error:
        raise PluginError(f"{kind} {file}: cannot be read ({error.strerror}); give the path of a .py file") from None


@cache
def _load(kind: Kind, file: Path, digest: str, source: bytes) -> type[Any]:
    module = ModuleType(f"cowbench_plugins.{kind}.{file.stem}_{digest[:16]}")
    module.__file__ = str(file)
    # Dataclasses and type hints look their module up by name, so it must be there while it runs.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
        cls = _only_class(kind, file, module)
    except BaseException as error:
        del sys.modules[module.__name__]
        if isinstance(error, PluginError | KeyboardInterrupt):
            raise
        raise PluginError(f"{kind} {file}:{line_in(error, file) or 1}: {words_of(error)}") from None
    cls.name = name_of(kind, file)
    return cls


def _only_class(kind: Kind, file: Path, module: ModuleType) -> type[Any]:
    base = getattr(importlib.import_module(KINDS[kind].module), KINDS[kind].base)
    found = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and name[0] != "_"
    ]
    if len(found) != 1:
        names = ", ".join(cls.__name__ for cls in found) or "none"
        words = f"{kind} {file}: must define one subclass of {base.__name__}, found {names}"
        raise PluginError(words) if found else _NoClass(words)
    return found[0]
