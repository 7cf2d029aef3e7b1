"""What the program reads from outside before it declares anything: Pulumi's configuration.

Here and nowhere else, because the SDK has no public way to list the keys of a namespace, and a
misspelt key that is silently ignored is worse than a private name.
"""

from collections.abc import Mapping

from pulumi.runtime.config import CONFIG, get_config_env

from components.settings import NAMESPACE


def configured_values() -> Mapping[str, object]:
    """Every value of the stack's configuration in the project's namespace, without the "
    "namespace."""
    prefix = f"{NAMESPACE}:"
    # A program started by the engine finds its configuration in the environment, an inline one is
    # handed it.
    values = {**get_config_env(), **CONFIG.get()}
    return {
        key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)
    }
