"""Specs: the text users type, the canonical form in results, and JSON for workers."""

from pathlib import Path

import pytest

from cowbench import spec
from cowbench.errors import ParameterError, PluginError
from tests.test_plugins import RULE, write


def test_parameters_at_their_default_are_left_out_and_the_rest_sorted() -> None:
    parsed = spec.parse("policy", "has_pinned:on_failure=share,gfp=atomic,charge=parent")
    assert parsed.text == "has_pinned:gfp=atomic,on_failure=share"
    assert parsed.values == (("gfp", "atomic"), ("on_failure", "share"))


def test_a_path_may_stand_for_the_name(tmp_path: Path) -> None:
    file = write(tmp_path, "my_rule.py")
    parsed = spec.parse("policy", f"{file}:depth=4")
    assert (parsed.name, parsed.text) == ("my_rule", "my_rule:depth=4")


def test_json_carries_everything(tmp_path: Path) -> None:
    parsed = spec.parse("policy", f"{write(tmp_path, 'my_rule.py')}:depth=4")
    again = spec.PluginSpec.from_json(parsed.to_json())
    assert again == parsed
    assert again.build().depth == 4


def test_a_file_that_changed_under_way_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "my_rule.py")
    parsed = spec.parse("policy", str(file))
    file.write_text(RULE + "# edited\n")
    with pytest.raises(PluginError, match="changed after the run had begun"):
        parsed.build()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("has_pinned:gpf=atomic", "no parameter 'gpf': did you mean 'gfp'"),
        ("has_pinned:gfp=never", "gfp=never is none of sleep, atomic"),
        ("has_pinned:gfp", "'gfp' is not key=value"),
        ("has_pinned:gfp=sleep,gfp=sleep", "gfp is given twice"),
    ],
)
def test_bad_parameters_are_named(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        spec.parse("policy", text)


def test_comma_lists_keep_parameters_with_their_spec() -> None:
    texts = ["mapcount,has_pinned:gfp=atomic,on_failure=share,oracle", "page_count"]
    assert spec.split(texts) == ["mapcount", "has_pinned:gfp=atomic,on_failure=share", "oracle", "page_count"]
