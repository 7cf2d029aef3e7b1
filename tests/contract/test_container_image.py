"""What the Dockerfile promises, read as SageMaker and the rehearsal read it."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from server.settings import Settings, settings_from_environment

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "container"
DIRECT = {"granian", "numpy", "onnxruntime", "orjson"}
DIRECT_OF_LOCK = {
    "requirements.lock": DIRECT,
    "requirements-sklearn.lock": DIRECT | {"joblib", "pandas", "scikit-learn", "skops"},
}
UNPICKLERS = {"pickle", "marshal", "shelve", "cloudpickle"}
VARIABLE = "(?:SAGEMAKER|SM|GREENLIGHT)_[A-Z_]+"
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)( ; \S.*?)? \\$", re.MULTILINE)


def final_stage() -> list[tuple[str, str]]:
    """Give the instructions of the Dockerfile's last stage."""
    text = (CONTAINER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line[:1] not in ("", "#")]
    instructions = [(name, rest) for name, rest in lines]
    start = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def values(name: str) -> list[str]:
    """Give what one instruction says in the last stage."""
    return [rest for given, rest in final_stage() if given == name]


def test_the_command_is_in_exec_form_and_serves() -> None:
    entrypoint, command = values("ENTRYPOINT"), values("CMD")

    assert json.loads(entrypoint[0]) == ["python", "-m", "server"]
    assert json.loads(command[0]) == ["serve"]


def test_the_image_runs_the_folder_a_rehearsal_runs() -> None:
    copies = [rest for rest in values("COPY") if not rest.startswith("--from")]

    assert values("WORKDIR") == ["/opt/program"]
    assert copies == ["server ./server"]


def test_the_image_runs_as_nobody_in_particular_and_checks_its_health() -> None:
    user = values("USER")[0]

    assert user.split(":")[0].isdigit()
    assert int(user.split(":")[0]) > 0
    assert '["python", "-m", "server", "ping"]' in values("HEALTHCHECK")[0]


def test_the_base_image_is_an_argument_of_every_stage() -> None:
    text = (CONTAINER / "Dockerfile").read_text()

    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert text.count("\nARG BASE_IMAGE=") == 1
    assert stages == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


@pytest.mark.parametrize("name", DIRECT_OF_LOCK)
def test_every_requirement_is_pinned_with_hashes_to_the_repositorys_version(name: str) -> None:
    lock = (CONTAINER / name).read_text()
    pinned = set(PINNED.findall(lock))
    rehearsed = set(PINNED.findall((ROOT / "requirements.lock").read_text()))

    assert {requirement for requirement, _, _ in pinned} >= DIRECT_OF_LOCK[name]
    assert pinned <= rehearsed
    assert len(pinned) == len(blocks_of(lock))
    assert all("--hash=sha256:" in block for block in blocks_of(lock))
    assert "://" not in lock


def test_the_compiler_is_pinned_with_hashes_and_is_not_in_what_the_image_keeps() -> None:
    lock = (CONTAINER / "requirements-build.lock").read_text()
    kept = "".join((CONTAINER / name).read_text() for name in DIRECT_OF_LOCK)

    assert {name for name, _, _ in PINNED.findall(lock)} == {"setuptools", "ziglang"}
    assert all("--hash=sha256:" in block for block in blocks_of(lock))
    assert "ziglang" not in kept


def test_the_readme_tells_every_setting_with_its_default_and_every_error_code() -> None:
    readme = (CONTAINER / "README.md").read_text()
    rows = dict(re.findall(rf"^\| `({VARIABLE})` \| `?([^|`]+?)`? \|", readme, re.MULTILINE))

    source = (CONTAINER / "server" / "settings.py").read_text()
    codes = re.findall(r'= "(\w+)"', (CONTAINER / "server" / "errors.py").read_text())

    assert set(re.findall(f'"({VARIABLE})"', source)) == set(re.findall(f"`({VARIABLE})`", readme))
    # A default of several words is worked out by the server.
    fixed = {name: default for name, default in rows.items() if " " not in default}
    assert [
        name for name in fixed if settings_from_environment({name: fixed[name]}) != Settings()
    ] == []
    never_sent = {"invalid_settings", "invalid_script"}
    assert {code for code in codes if f"`{code}`" not in readme} == never_sent


def test_the_server_imports_only_itself_its_requirements_and_the_standard_library() -> None:
    allowed = DIRECT | {"greenlight_kernel"} | set(sys.stdlib_module_names)

    imported = {
        path.name: {name.split(".")[0] for name in absolute_imports(path)}
        for path in sorted((CONTAINER / "server").glob("*.py"))
    }
    of_sklearn = imported.pop("sklearn_runtime.py", set())

    assert set().union(*imported.values()) <= allowed
    assert of_sklearn <= allowed | {"joblib", "pandas", "sklearn", "skops"}
    assert not of_sklearn & UNPICKLERS
    assert not set().union(*imported.values()) & (UNPICKLERS | {"joblib", "skops"})


def blocks_of(lock: str) -> list[str]:
    """Give a lock's requirements, each with its hashes."""
    return re.split(r"\n(?=[a-z0-9-]+==)", lock)[1:]


def absolute_imports(path: Path) -> list[str]:
    """Give the modules a file imports by absolute name."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names.append(node.module)
    return names
