"""A script is served only if the container could call it, and nothing of it runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.errors import ScriptError
from automation.gate.inference_script import script_from_files, script_from_project

PREDICT = "def predict_fn(data, model):\n    return model.predict(data)\n"


def a_script(source: str, **others: str) -> dict[str, bytes]:
    files = {"code/inference.py": source.encode()}
    return files | {f"code/{name}": text.encode() for name, text in others.items()}


def test_a_file_of_any_name_becomes_the_script(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(PREDICT)

    script = script_from_project(tmp_path, Path("serve.py"))

    assert script.files == {"code/inference.py": PREDICT.encode()}
    assert script.functions == ("predict_fn",)


def test_a_folder_comes_whole_but_for_what_is_hidden_or_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "serving"
    for name in ("inference.py", "shapes/__init__.py", "words.txt", ".env", "__pycache__/x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PREDICT if name == "inference.py" else "")

    script = script_from_project(tmp_path, Path("serving"))

    assert list(script.files) == ["code/inference.py", "code/shapes/__init__.py", "code/words.txt"]


def test_a_script_is_never_run(tmp_path: Path) -> None:
    source = f"open({str(tmp_path / 'ran')!r}, 'w')\n{PREDICT}"

    script_from_files(a_script(source), "it")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "source",
    [
        "from handlers import model_fn\n",
        "import json\noutput_fn = json.dumps\n",
        "try:\n    from fast import input_fn\nexcept ImportError:\n    pass\n",
        "if True:\n    def model_fn(model_dir, context=None):\n        return model_dir\n",
        "def model_fn(*arguments):\n    return arguments\n",
    ],
)
def test_a_function_counts_however_it_gets_its_name(source: str) -> None:
    assert len(script_from_files(a_script(source), "it").functions) == 1


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = 1\n", "has none of the functions model_fn, input_fn, predict_fn, output_fn"),
        ("class A:\n    def model_fn(self): ...\n", "has none of the functions"),
        ("def model_fn(:\n", r"it \(code/inference\.py\) line 1 is not Python"),
        ("\0", "is not Python"),
        ("def predict_fn(data):\n    pass\n", "predict_fn in line 1 cannot be called with 2 arg"),
        ("def model_fn(a, b):\n    pass\n", "model_fn in line 1 cannot be called with 1 argument$"),
        ("def input_fn(a, b, *, c):\n    pass\n", "input_fn in line 1 cannot be called with 2"),
        ("def transform_fn(m, d, c, a):\n    pass\n", "transform_fn is not called here; split it"),
        ("async def model_fn(a):\n    pass\n", "model_fn in line 1 is async"),
    ],
)
def test_a_script_the_container_could_not_call_is_refused(source: str, problem: str) -> None:
    with pytest.raises(ScriptError, match=problem):
        script_from_files(a_script(source), "it")


def test_a_neighbour_that_is_not_python_is_refused_with_its_line() -> None:
    files = a_script(PREDICT, **{"shapes.py": "x = 1\ny = = 2\n"})

    with pytest.raises(ScriptError, match=r"\(code/shapes\.py\) line 2 is not Python"):
        script_from_files(files, "it")


def test_requirements_are_refused_because_nothing_is_installed() -> None:
    files = a_script(PREDICT, **{"requirements.txt": "torch"})

    with pytest.raises(ScriptError, match="nothing is installed when the container starts"):
        script_from_files(files, "it")


def test_imports_are_named_that_neither_python_nor_the_folder_has() -> None:
    source = (
        "import os.path, torch.nn\nfrom shapes import area\nfrom . import words\n"
        "try:\n    import fast\nexcept ImportError:\n    pass\n"
        "def late():\n    import later\n" + PREDICT
    )

    script = script_from_files(a_script(source, **{"shapes.py": "import numpy\n"}), "it")

    assert script.imports == ("numpy", "torch")


def test_what_is_no_script_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "inference.py").symlink_to(tmp_path)

    with pytest.raises(ScriptError, match="is no file or folder of the project"):
        script_from_project(tmp_path, Path("missing.py"))
    with pytest.raises(ScriptError, match=r"holds no inference\.py"):
        script_from_project(tmp_path, Path("folder"))
    with pytest.raises(ScriptError, match=r"holds the symbolic link inference\.py"):
        script_from_project(tmp_path, Path("linked"))


def test_a_folder_that_is_no_scripts_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text(PREDICT)
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(17 << 20)

    with pytest.raises(ScriptError, match="give a folder of the script's own"):
        script_from_project(tmp_path, Path())
