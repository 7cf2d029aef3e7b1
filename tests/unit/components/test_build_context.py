from pathlib import Path

import pytest

from components.build_context import context_digest


def a_context(folder: Path) -> Path:
    (folder / "server").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM python:3.12-slim\n")
    (folder / "server/app.py").write_text("print('hello')\n")
    return folder


def test_same_files_in_another_place_have_the_same_digest(tmp_path: Path) -> None:
    assert context_digest(a_context(tmp_path / "a")) == context_digest(a_context(tmp_path / "b"))


@pytest.mark.parametrize(
    "cache", ["server/__pycache__/app.cpython-311.pyc", ".mypy_cache/x", ".DS_Store", "app.py~"]
)
def test_caches_do_not_count(tmp_path: Path, cache: str) -> None:
    context = a_context(tmp_path / "a")
    before = context_digest(context)

    (context / cache).parent.mkdir(parents=True, exist_ok=True)
    (context / cache).write_text("left behind")

    assert context_digest(context) == before


def test_content_path_and_executable_bit_count(tmp_path: Path) -> None:
    context = a_context(tmp_path / "a")
    digests = {context_digest(context)}

    (context / "server/app.py").write_text("print('bye')\n")
    digests.add(context_digest(context))
    (context / "server/app.py").rename(context / "server/main.py")
    digests.add(context_digest(context))
    (context / "server/main.py").chmod(0o755)
    digests.add(context_digest(context))

    assert len(digests) == 4


def test_bytes_moved_between_files_count(tmp_path: Path) -> None:
    for name, first, second in (("a", "xy", "z"), ("b", "x", "yz")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one").write_text(first)
        (tmp_path / name / "two").write_text(second)

    assert context_digest(tmp_path / "a") != context_digest(tmp_path / "b")


def test_empty_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no files; run from the project's folder"):
        context_digest(tmp_path)
