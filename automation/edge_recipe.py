"""The recipe of a Greengrass component: what a core device gets, and what it runs when.

Its scripts are for a POSIX shell. Greengrass replaces words such as {work:path} in them, so no
other braces may stand there.

Source: AWS IoT Greengrass V2 Developer Guide, "AWS IoT Greengrass component recipe reference", read
2026; for what the guide does not say (that environments are interpolated, too, and that Shutdown
is waited for) KernelConfigResolver and GenericExternalService of aws-greengrass-nucleus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

PROGRAM_ARCHIVE = "program.zip"
MODEL_ARCHIVE = "model.zip"
LOCK_NAME = "requirements.lock"
INSTALL_TIMEOUT_SECONDS = 1800
DRAIN_SECONDS = 20
SHUTDOWN_TIMEOUT_SECONDS = 30

# Numbers as text, as the guide recommends: they might come back as floats.
DEFAULT_CONFIGURATION = {
    "port": "8080",
    "bindAddress": "127.0.0.1",
    "workers": "1",
    "logLevel": "20",
    "allowPickle": "false",
    "python": "python3",
    "pythonEnvironment": "",
    "pipOptions": "",
}

# Runs at every start of Greengrass, too: what is installed already is left alone.
INSTALL = """\
set -eu
venv="{configuration:/pythonEnvironment}"
if [ -z "$venv" ]; then
  venv="{work:path}/venv"
  if [ ! -f "$venv/LOCK_DIGEST.installed" ]; then
    "{configuration:/python}" -c "import sys
if sys.version_info < (3, 11):
    sys.exit('Python 3.11 or newer is needed, here is ' + sys.version)"
    rm -rf "$venv"
    "{configuration:/python}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \\
      --require-hashes --only-binary :all: {configuration:/pipOptions} \\
      --requirement "{artifacts:path}/requirements.lock"
    touch "$venv/LOCK_DIGEST.installed"
  fi
fi
"$venv/bin/python" -c "import IMPORTED_MODULES"
"""

RUN = """\
set -eu
venv="{configuration:/pythonEnvironment}"
if [ -z "$venv" ]; then venv="{work:path}/venv"; fi
cd "{artifacts:decompressedPath}/program"
echo "$$" > "{work:path}/server.pid"
exec "$venv/bin/python" -m server serve
"""

# Greengrass itself gives a process milliseconds between its signals (nucleus issue 1667). The check
# of the command line is for a number that belongs to another process by now.
SHUTDOWN = """\
file="{work:path}/server.pid"
[ -f "$file" ] || exit 0
pid=$(cat "$file")
tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q -e "-m server serve" || exit 0
kill -TERM "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 1; done
rm -f "$file"
"""

ENVIRONMENT = {
    "SM_MODEL_DIR": "{artifacts:decompressedPath}/model",
    "SAGEMAKER_BIND_TO_PORT": "{configuration:/port}",
    "GREENLIGHT_BIND_ADDRESS": "{configuration:/bindAddress}",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "{configuration:/workers}",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "{configuration:/logLevel}",
    "GREENLIGHT_ALLOW_PICKLE": "{configuration:/allowPickle}",
    "GREENLIGHT_DRAIN_SECONDS": str(DRAIN_SECONDS),
    # Components may not write beside their artifacts.
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


def recipe_bytes(
    *,
    name: str,
    version: str,
    description: str,
    folder_uri: str,
    lock_digest: str,
    modules: Sequence[str],
) -> bytes:
    """Write a component's recipe.

    Args:
        name: of the component.
        version: semantic, of the component.
        folder_uri: where in S3 its files are to be, without a slash at the end.
        lock_digest: of requirements.lock; another one has everything installed anew.
        modules: what must be importable once it is installed.
    """
    install = INSTALL.replace("LOCK_DIGEST", lock_digest)
    install = install.replace("IMPORTED_MODULES", ", ".join(modules))
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentType": "aws.greengrass.generic",
        "ComponentDescription": description,
        "ComponentPublisher": "greenlight",
        "ComponentConfiguration": {"DefaultConfiguration": DEFAULT_CONFIGURATION},
        "Manifests": [
            {
                "Name": "Linux",
                # What the libraries of the lock have wheels for.
                "Platform": {"os": "linux", "architecture": "/amd64|aarch64/"},
                "Lifecycle": {
                    "Setenv": ENVIRONMENT,
                    "Install": {"Script": install, "Timeout": INSTALL_TIMEOUT_SECONDS},
                    "Run": {"Script": RUN},
                    "Shutdown": {"Script": SHUTDOWN, "Timeout": SHUTDOWN_TIMEOUT_SECONDS},
                },
                "Artifacts": [
                    _artifact(folder_uri, PROGRAM_ARCHIVE, "ZIP"),
                    _artifact(folder_uri, MODEL_ARCHIVE, "ZIP"),
                    _artifact(folder_uri, LOCK_NAME, "NONE"),
                ],
            }
        ],
    }
    return json.dumps(recipe, indent=2).encode() + b"\n"


def _artifact(folder_uri: str, name: str, unarchive: str) -> dict[str, object]:
    # Greengrass adds digests itself when the component is created; what stands here is dropped.
    return {
        "URI": f"{folder_uri}/{name}",
        "Unarchive": unarchive,
        "Permission": {"Read": "OWNER", "Execute": "NONE"},
    }
