"""Plug-in files: found by name and by path, loaded by the same code, broken ones named in one line."""

from pathlib import Path

import pytest

from cowbench import plugins
from cowbench.errors import PluginError
from cowbench.policy import Policy

RULE = '''"""my_rule: copies nothing. Second sentence.

More.
"""

import numpy as np

from cowbench.policy import Policy, parameter
from cowbench.views import Mask, WriteFault


class MyRule(Policy):
    depth: int = parameter(3, low=1, high=9)

    def reuse(self, fault: WriteFault) -> Mask:
        return np.ones(len(fault), np.bool_)
'''


def write(folder: Path, name: str, text: str = RULE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def test_built_in_policies_load_under_the_name_of_their_file() -> None:
    names = plugins.available("policy")
    assert {"mapcount", "has_pinned", "anon_exclusive", "oracle"} <= set(names)
    for name in names:
        cls = plugins.load("policy", name)
        assert issubclass(cls, Policy)
        assert cls.name == name
        assert plugins.describe(cls)


def test_a_file_given_by_path_is_a_plugin(tmp_path: Path) -> None:
    cls = plugins.load("policy", str(write(tmp_path, "my_rule.py")))
    assert cls.name == "my_rule"
    assert plugins.describe(cls) == "copies nothing. Second sentence."
    assert cls(depth=4).spec() == "my_rule:depth=4"


def test_a_file_dropped_into_the_users_folder_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "policies", "my_rule.py")
    write(tmp_path / "policies", "_helper.py")
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tmp_path))
    assert "my_rule" in plugins.available("policy")
    assert "_helper" not in plugins.available("policy")
    assert plugins.load("policy", "my_rule").name == "my_rule"


def test_a_users_file_with_a_built_in_name_is_told_apart(tmp_path: Path) -> None:
    other = plugins.load("policy", str(write(tmp_path, "mapcount.py")))
    assert other.name.startswith("mapcount@")
    assert plugins.load("policy", "mapcount").name == "mapcount"
    same = plugins.available("policy")["mapcount"].read_text()
    assert plugins.load("policy", str(write(tmp_path, "mapcount.py", same))).name == "mapcount"


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    first = plugins.load("policy", str(write(tmp_path, "my_rule.py")))
    second = plugins.load("policy", str(write(tmp_path, "my_rule.py", RULE.replace("(3,", "(5,"))))
    assert (first().values(), second().values()) == ({"depth": 3}, {"depth": 5})


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(PluginError, match="no policy 'mapcoutn': did you mean 'mapcount'"):
        plugins.load("policy", "mapcoutn")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RULE.replace("depth: int", "depth int"), 13, "SyntaxError"),
        (RULE.replace("import numpy as np", "import nunpy as np"), 6, "No module named 'nunpy'"),
        (RULE.replace("(3, low", "(3, lo"), 13, "TypeError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = write(tmp_path, "broken.py", text)
    with pytest.raises(PluginError) as caught:
        plugins.load("policy", str(file))
    message = str(caught.value)
    assert f"{file}:{line}:" in message
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(("text", "found"), [("x = 1\n", "none"), (RULE + "\nclass B(Policy): ...\n", "MyRule, B")])
def test_a_file_holds_exactly_one_class(tmp_path: Path, text: str, found: str) -> None:
    file = write(tmp_path, "odd.py", text)
    with pytest.raises(PluginError, match=f"one subclass of Policy, found {found}"):
        plugins.load("policy", str(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"gone\.py: cannot be read"):
        plugins.load("policy", str(tmp_path / "gone.py"))
