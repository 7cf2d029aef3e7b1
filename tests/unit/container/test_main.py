"""The image's command."""

from __future__ import annotations

import pytest

from server.__main__ import main


@pytest.mark.parametrize("arguments", [[], ["train"], ["serve", "now"], ["prove"], ["load"]])
def test_any_other_command_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)

    assert code == 2
    usage = capsys.readouterr().err
    assert usage.startswith("usage: python -m server serve | ping | prove MODEL_DIR")
