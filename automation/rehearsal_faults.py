"""`greenlight rehearsal fault ...`: makes the rehearsal's cloud do what AWS does on a bad day."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", help="The rehearsal's folder, as in `start`.")
]
EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", help="Only this endpoint; left out: any.")
]
VariantOption = Annotated[
    str | None, typer.Option("--variant", help="Only this production variant; left out: any.")
]
ConfigOption = Annotated[
    str | None, typer.Option("--config", help="Only this endpoint config; left out: any.")
]
TypeOption = Annotated[
    str | None,
    typer.Option("--instance-type", help="Only this instance type, as ml.m5.large; left out: any."),
]
TimesOption = Annotated[
    int | None, typer.Option("--times", min=1, help="How often; left out: see the help above.")
]
AlwaysOption = Annotated[
    bool, typer.Option("--until-cleared", help="Again and again, until `fault clear`.")
]
ShareOption = Annotated[
    int, typer.Option("--share", min=1, max=100, help="Percent of the requests it meets.")
]

app = typer.Typer(
    help="Make things go wrong on purpose, to see whether a release holds.", no_args_is_help=True
)


@app.command("list")
def list_faults(directory: DirectoryOption = None) -> None:
    """Show the faults that wait, and those that have happened."""
    faults = _tell(directory, "GET")["faults"]
    table = Table("fault", "what", "where", "how", "used")
    for fault in faults:
        table.add_row(*_row(fault))
    _print(table if faults else "no fault is set; `greenlight rehearsal fault --help` lists them")


@app.command()
def clear(
    fault_id: Annotated[
        str | None, typer.Argument(help="Which one, as `fault list` names it; left out: all.")
    ] = None,
    directory: DirectoryOption = None,
) -> None:
    """Take faults back; what has already gone wrong stays so."""
    members = {} if fault_id is None else {"fault_id": fault_id}
    cleared = _tell(directory, "DELETE", members)["faults"]
    _print(f"cleared {', '.join(fault['fault_id'] for fault in cleared) or 'nothing'}")


@app.command("launch-failure")
def launch_failure(
    reason: Annotated[
        str, typer.Option("--reason", help="image, artifact, cannot-start or ping.")
    ] = "ping",
    endpoint: EndpointOption = None,
    variant: VariantOption = None,
    config: ConfigOption = None,
    instance_type: TypeOption = None,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Make the next launch of an instance fail, once: a create fails, an update comes back."""
    place = _place(endpoint, variant, config) | {"instance_type": instance_type}
    _add(directory, "launch-failure", {"reason": reason, **place}, _often(times, until_cleared))


@app.command("health-check-hang")
def health_check_hang(
    endpoint: EndpointOption = None,
    variant: VariantOption = None,
    config: ConfigOption = None,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Make the next container start and never answer /ping, once: its time-out runs in full."""
    place = _place(endpoint, variant, config)
    _add(directory, "health-check-hang", place, _often(times, until_cleared))


@app.command()
def crash(
    after_requests: Annotated[
        int, typer.Option("--after-requests", min=0, help="Answers each container gives before it.")
    ] = 0,
    endpoint: EndpointOption = None,
    variant: VariantOption = None,
    config: ConfigOption = None,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Kill the container that gets a request, once; SageMaker then replaces it."""
    place = _place(endpoint, variant, config)
    often = _often(times, until_cleared)
    _add(directory, "crash", {"after_requests": after_requests, **place}, often)


@app.command()
def latency(
    milliseconds: Annotated[
        int, typer.Argument(min=1, help="How much longer the model takes, of the wall's time.")
    ],
    share: ShareOption = 100,
    endpoint: EndpointOption = None,
    variant: VariantOption = None,
    config: ConfigOption = None,
    times: TimesOption = None,
    directory: DirectoryOption = None,
) -> None:
    """Make the model answer later, until cleared or so many times."""
    members = {"milliseconds": milliseconds, "share_percent": share}
    _add(directory, "latency", {**members, **_place(endpoint, variant, config)}, _often(times))


@app.command("model-error")
def model_error(
    status: Annotated[
        int, typer.Option("--status", min=400, max=599, help="What it answers.")
    ] = 500,
    message: Annotated[str, typer.Option("--message", help="The body it answers.")] = (
        "a fault on purpose"
    ),
    share: ShareOption = 100,
    endpoint: EndpointOption = None,
    variant: VariantOption = None,
    config: ConfigOption = None,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Make the model answer a request with an error, once: the client gets a 424."""
    members = {"status": status, "message": message, "share_percent": share}
    place = _place(endpoint, variant, config)
    _add(directory, "model-error", {**members, **place}, _often(times, until_cleared))


@app.command()
def capacity(
    instance_type: TypeOption = None,
    available: Annotated[
        int, typer.Option("--available", min=0, help="Instances that may run at once all the same.")
    ] = 0,
    endpoint: EndpointOption = None,
    times: TimesOption = None,
    directory: DirectoryOption = None,
) -> None:
    """Let AWS run out of instances, until cleared or so many times."""
    members = {
        "available": available,
        "instance_type": instance_type,
        "endpoint_name": endpoint,
    }
    _add(directory, "capacity", members, _often(times))


@app.command()
def quota(
    instance_type: Annotated[str, typer.Argument(help="As ml.m5.large.")],
    limit: Annotated[int, typer.Argument(min=0, help="Instances the account may use.")],
    directory: DirectoryOption = None,
) -> None:
    """Set the account's quota of an instance type, until cleared; beyond it calls are refused."""
    _add(directory, "quota", {"instance_type": instance_type, "limit": limit}, {})


@app.command()
def throttle(
    operation: Annotated[
        str | None, typer.Argument(help="As DescribeEndpoint; left out: every one but S3's.")
    ] = None,
    share: ShareOption = 100,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Refuse a call with ThrottlingException: Rate exceeded, once."""
    members = {"operation": operation, "share_percent": share}
    _add(directory, "throttle", members, _often(times, until_cleared))


@app.command("silent-rollback")
def silent_rollback(
    rolling_back_polls: Annotated[
        int,
        typer.Option("--rolling-back-polls", min=0, help="DescribeEndpoint calls that see it."),
    ] = 0,
    failure_reason: Annotated[
        str, typer.Option("--failure-reason", help="What is left as FailureReason; empty: none.")
    ] = "",
    endpoint: EndpointOption = None,
    config: ConfigOption = None,
    times: TimesOption = None,
    until_cleared: AlwaysOption = False,
    directory: DirectoryOption = None,
) -> None:
    """Bring the next update back to its old config without a word, once: InService, but not new."""
    members = {
        "rolling_back_polls": rolling_back_polls,
        "failure_reason": failure_reason,
        "endpoint_name": endpoint,
        "endpoint_config_name": config,
    }
    _add(directory, "silent-rollback", members, _often(times, until_cleared))


@app.command()
def maintenance(
    endpoint: Annotated[str, typer.Argument(help="The endpoint AWS patches.")],
    seconds: Annotated[float, typer.Argument(min=1, help="For how long, in rehearsal time.")] = 300,
    directory: DirectoryOption = None,
) -> None:
    """Put an endpoint under AWS's maintenance: SystemUpdating, which refuses every change."""
    members = {"endpoint_name": endpoint, "seconds": seconds}
    _tell(directory, "POST", members, what="patches")
    _print(f"{endpoint} is SystemUpdating for {seconds:g} rehearsal seconds")


def _place(endpoint: str | None, variant: str | None, config: str | None) -> dict[str, Any]:
    return {
        "endpoint_name": endpoint,
        "variant_name": variant,
        "endpoint_config_name": config,
    }


def _often(times: int | None, until_cleared: bool = False) -> dict[str, Any]:
    if until_cleared:
        return {"times": None}
    return {} if times is None else {"times": times}


def _add(
    directory: Path | None, kind: str, members: Mapping[str, Any], often: Mapping[str, Any]
) -> None:
    given = {name: value for name, value in members.items() if value is not None}
    fault = _tell(directory, "POST", {"kind": kind, **given, **often})
    fault_id, _, where, how, used = _row(fault)
    _print(f"{fault_id}: {fault['summary']} ({where}; {how}; used {used})")
    _print(f"take it back with: greenlight rehearsal fault clear {fault_id}")


def _row(fault: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Return id, kind, whom it meets, its settings and how often it has happened."""
    named = ("endpoint_name", "variant_name", "endpoint_config_name", "instance_type", "operation")
    where = [f"{name.removesuffix('_name')} {fault[name]}" for name in named if name in fault]
    known = {"fault_id", "kind", "summary", "times", "used", "spent", *named}
    how = [f"{name} {value}" for name, value in fault.items() if name not in known and value != ""]
    often = " times, until cleared" if fault["times"] is None else f" of {fault['times']}"
    return (
        fault["fault_id"],
        fault["kind"],
        ", ".join(where) or "anywhere",
        ", ".join(how) or "as it is",
        f"{fault['used']}{often}",
    )


def _tell(
    directory: Path | None,
    method: str,
    members: Mapping[str, Any] | None = None,
    *,
    what: str = "faults",
) -> dict[str, Any]:
    # Imported late: that module hangs this one's commands below its own.
    from automation.rehearsal import tell_cloud

    return tell_cloud(directory, method, what, members)


def _print(shown: object) -> None:
    from automation.rehearsal import console

    console.print(shown, soft_wrap=True)
