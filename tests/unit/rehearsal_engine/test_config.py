"""The stack's settings file: comments stay, paths are typed, the project gives defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.config import ConfigError, StackConfig, full_key, split_path, typed
from rehearsal.engine.errors import EngineError

COMMENTED = """\
# made by hand
config:
  # which one
  p5:stage: dev  # not prod
  aws:region: eu-west-1
  p5:tags:
    team: a  # ours
"""


def a_config(folder: Path) -> StackConfig:
    return StackConfig(folder / "Pulumi.dev.yaml", "p5")


def test_edit_keeps_comments_and_order(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(COMMENTED)
    config = a_config(tmp_path)

    config.set("p5:tags", ("team",), "b")
    config.set("p5:new", (), "1")
    config.remove("aws:region", ())
    config.save()

    expected = COMMENTED.replace("team: a ", "team: b ").replace("  aws:region: eu-west-1\n", "")
    assert file.read_text() == expected + "  p5:new: '1'\n"


def test_paths_make_what_they_lead_through(tmp_path: Path) -> None:
    config = a_config(tmp_path)

    config.set("p5:a", ("b", 0, "c"), True)
    config.set("p5:a", ("b", 1), 2)
    config.set("p5:a", ("d.e",), "x")
    config.remove("p5:a", ("b", 0))

    assert config.raw() == {"p5:a": {"b": [2], "d.e": "x"}}
    assert config.values(None)["p5:a"].text == '{"b":[2],"d.e":"x"}'


def test_paths_that_can_not_be_followed_are_refused(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    config.set("p5:a", ("b",), "text")

    with pytest.raises(ConfigError, match="index 3 is past the end"):
        config.set("p5:l", (3,), 1)
    with pytest.raises(ConfigError, match="0 can't be set"):
        config.set("p5:a", (0,), 1)
    with pytest.raises(ConfigError, match="'x' can't be set"):
        config.set("p5:l", ("x",), 1)


def test_secret_inside_an_object_makes_the_whole_value_secret(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    config.set("p5:a", ("plain",), 1)
    config.set("p5:a", ("hidden",), {"secure": "v1:x"})

    hidden, shown = config.values(None)["p5:a"], config.values(str.upper)["p5:a"]

    assert (hidden.secret, hidden.text) == (True, '{"hidden":"[secret]","plain":1}')
    assert (shown.secret, shown.shown) == (True, {"hidden": "V1:X", "plain": 1})


@pytest.mark.parametrize("text", ["environment:\n  - e\n", "secretsprovider: awskms://k\n"])
def test_settings_that_would_be_ignored_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text)

    with pytest.raises(EngineError, match="not supported by the rehearsal engine"):
        a_config(tmp_path)


def test_keys_and_paths_are_split() -> None:
    assert full_key("a", "p5") == "p5:a"
    assert full_key("aws:region", "p5") == "aws:region"
    assert split_path('a.b[0]["c.d"].e') == ("a", ("b", 0, "c.d", "e"))
    assert [typed(t) for t in ("1", "-2", "true", "01", "x")] == [1, -2, True, "01", "x"]
    for bad in ("a[", "[0]", ""):
        with pytest.raises(ConfigError, match="invalid configuration path"):
            split_path(bad)
    with pytest.raises(ConfigError, match="invalid configuration key"):
        full_key("a:b:c:d", "p5")
