"""Which files are part of a build context."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.provider.dockerignore import context_files, is_ignored, rule_from_line


@pytest.mark.parametrize(
    ("line", "path", "ignored"),
    [
        ("__pycache__", "__pycache__/a.pyc", True),
        ("__pycache__", "server/__pycache__/a.pyc", False),
        ("**/__pycache__", "server/__pycache__/a.pyc", True),
        ("**/__pycache__", "__pycache__/a.pyc", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("/tests/", "tests/test_a.py", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
    ],
)
def test_a_line_speaks_of_the_paths_docker_says(line: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, [rule_from_line(line)]) is ignored


def test_the_last_line_that_speaks_of_a_path_wins() -> None:
    rules = [rule_from_line(line) for line in ("*.md", "!README.md")]

    assert is_ignored("NOTES.md", rules)
    assert not is_ignored("README.md", rules)


def test_the_dockerfile_is_always_sent(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("# all but the server\n*\n!server\n")
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "notes").touch()
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "main.py").touch()

    assert context_files(tmp_path) == ["Dockerfile", "server/main.py"]
