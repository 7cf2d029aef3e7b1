"""The `greenlight` command: one verb per thing that can be done to a model's stack.

Only typer and rich are imported up front; everything else waits until a verb needs it, so that the
help is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from automation.errors import GreenlightError, UsageError, exit_code_for

if TYPE_CHECKING:
    from automation.display import ProgressDisplay
    from automation.driver import Listeners
    from automation.source import Source

DEFAULT_MODEL = "iris"
DEFAULT_STAGE = "dev"
INTERRUPTED = 130
PLAIN_WIDTH = 160

app = typer.Typer(
    help="Takes trained scikit-learn models to SageMaker endpoints and swaps them safely.",
    epilog=(
        "Exit codes: 0 done, 2 usage, 3 spec or settings, 4 packaging gate, 5 Pulumi or "
        "credentials missing, 6 no such stack, 7 stack busy, 8 update failed, "
        "9 rolled back by SageMaker, 10 Foundation in use, 11 nothing to revert to, "
        "12 invocation failed, 1 anything else."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ModelArgument = Annotated[str, typer.Argument(help="The model, as in models/<model>.yaml.")]
StageOption = Annotated[str, typer.Option("--stage", "-s", help="dev or prod.")]
EstimatorOption = Annotated[
    str | None,
    typer.Option(
        "--estimator", "-e", help="What the training script trains; left out: the spec's."
    ),
]
ArtifactOption = Annotated[
    Path | None,
    typer.Option(
        "--artifact",
        exists=True,
        file_okay=False,
        resolve_path=True,
        help="A folder `greenlight package` made, instead of packaging now.",
    ),
]


@app.command("package")
def package_model(
    model: ModelArgument = DEFAULT_MODEL,
    estimator: EstimatorOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Where the model comes from instead of training: a file (.skops, .joblib, .pkl, "
            ".tar.gz), s3://BUCKET/KEY, training-job:NAME, model-package:GROUP or GROUP/VERSION, "
            "or an ARN; left out: the spec's source.",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            resolve_path=True,
            help="A CSV file of rows that prove a model from elsewhere: the header names the "
            "features, a last column `label` may hold the truth; left out: the spec's rows, "
            "else those of the training script.",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(help="What answers in the container: onnx or sklearn; left out: the spec's."),
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            help="Also read and write .joblib and .pkl, which run whatever code is in them.",
        ),
    ] = False,
) -> None:
    """Take a model, convert it, prove it equal to scikit-learn, write its artifact.

    Nothing is uploaded. The artifact is kept in build/models/MODEL, under its digest; `greenlight
    up` deploys it.
    """
    with _errors():
        from automation import display, driver
        from automation.gate.packaging import package
        from automation.spec import load_spec, runtime_from_text

        packaged = package(
            load_spec(driver.ROOT, model),
            driver.ROOT,
            estimator=estimator,
            source=None if source is None else _source(source),
            rows=rows,
            runtime=None if runtime is None else runtime_from_text(runtime),
            allow_pickle=allow_pickle,
        )
        display.show_package(_console(), packaged)


@app.command()
def preview(
    model: ModelArgument = DEFAULT_MODEL,
    stage: StageOption = DEFAULT_STAGE,
    estimator: EstimatorOption = None,
    artifact: ArtifactOption = None,
) -> None:
    """Say what `up` would change and what of it is dangerous."""
    with _errors():
        from automation import driver

        driver.preview(
            model, stage, estimator=estimator, artifact=artifact, listen=_telling(_console())
        )


@app.command()
def up(
    model: ModelArgument = DEFAULT_MODEL,
    stage: StageOption = DEFAULT_STAGE,
    estimator: EstimatorOption = None,
    artifact: ArtifactOption = None,
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", help="Update without a preview before it.")
    ] = False,
) -> None:
    """Deploy a model: package, check, preview, update; ends with the swap's verdict."""
    with _errors(), _progress(f"up {model} in {stage}") as (console, shown):
        from automation import display, driver

        deployment = driver.up(
            model,
            stage,
            estimator=estimator,
            artifact=artifact,
            with_preview=not skip_preview,
            listen=_telling(console, shown),
        )
        display.show_deployment(console, deployment)
        deployment.require_promoted()


@app.command()
def revert(model: ModelArgument = DEFAULT_MODEL, stage: StageOption = DEFAULT_STAGE) -> None:
    """Deploy again what was verified last: after a rollback what is live, else the one before."""
    with _errors(), _progress(f"revert {model} in {stage}") as (console, shown):
        from automation import display, driver

        deployment = driver.revert(model, stage, listen=_telling(console, shown))
        display.show_deployment(console, deployment)
        deployment.require_promoted()


@app.command()
def destroy(
    model: ModelArgument = DEFAULT_MODEL,
    stage: StageOption = DEFAULT_STAGE,
    keep_stack: Annotated[
        bool, typer.Option("--keep-stack", help="Leave the empty stack and its history.")
    ] = False,
) -> None:
    """Delete everything a model's stack holds, then the stack itself."""
    with _errors(), _progress(f"destroy {model} in {stage}") as (console, shown):
        from automation import driver

        driver.destroy(model, stage, keep_stack=keep_stack, listen=_telling(console, shown))
        console.print(f"destroyed {escape(model)} in {escape(stage)}", style="bold green")


@app.command()
def status(model: ModelArgument = DEFAULT_MODEL, stage: StageOption = DEFAULT_STAGE) -> None:
    """Show the live config, instances, alarms and the last update of a model's stack."""
    with _errors():
        from automation import display, driver

        display.show_status(_console(), driver.status(model, stage))


@app.command()
def watch(model: ModelArgument = DEFAULT_MODEL, stage: StageOption = DEFAULT_STAGE) -> None:
    """Follow the swap under way to its verdict, whoever started it; changes nothing."""
    with _errors(), _progress(f"watch {model} in {stage}") as (console, shown):
        from automation import display, driver
        from automation.errors import SwapRolledBackError
        from components.swap_plan import Verdict

        result = driver.watch(model, stage, listen=_telling(console, shown))
        console.print(display.endpoint_table(result.endpoint))
        if result.verdict is Verdict.ROLLED_BACK:
            raise SwapRolledBackError(str(result.reason))
        console.print("no swap is under way" if result.verdict is None else result.verdict.value)


@app.command()
def invoke(
    model: ModelArgument = DEFAULT_MODEL,
    stage: StageOption = DEFAULT_STAGE,
    row: Annotated[
        list[str] | None,
        typer.Option("--row", help="Comma-separated values, empty for missing; repeatable."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            exists=True,
            dir_okay=False,
            help="A .csv without header, or .json with instances.",
        ),
    ] = None,
) -> None:
    """Send rows to a model's endpoint and show what it answers; left out: the spec's samples."""
    with _errors():
        from automation import display, driver, invocation
        from automation.spec import load_spec

        if row is not None and file is not None:
            raise UsageError(f"both --row and --file {file} are given; give one of the two")
        if row is not None:
            rows = invocation.rows_from_texts(row)
        elif file is not None:
            rows = invocation.rows_from_file(file)
        else:
            rows = list(load_spec(driver.ROOT, model).samples)
        name, _ = driver.endpoint_of(driver.target_of(model, stage))
        answers = invocation.invoke(name, rows, region=driver.region_of(stage))
        display.show_answers(_console(), name, answers)


@app.command()
def edge(
    model: ModelArgument = DEFAULT_MODEL,
    estimator: EstimatorOption = None,
    artifact: ArtifactOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; left out: build/edge/MODEL.")
    ] = None,
    version: Annotated[
        str, typer.Option(help="Version of the component; Greengrass takes each one once.")
    ] = "1.0.0",
    name: Annotated[
        str | None, typer.Option(help="Name of the component; left out: greenlight.MODEL.")
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option(help="Folder in S3 for the artifacts, such as s3://BUCKET/components."),
    ] = None,
) -> None:
    """Write model and server as an AWS IoT Greengrass component: its recipe and its artifacts."""
    with _errors():
        from automation import display, driver
        from automation.edge import check, component_name, write_component
        from automation.spec import load_spec

        console = _console()
        spec = load_spec(driver.ROOT, model)
        # Before the model is packaged, which takes its time.
        check(component_name(model, name), version, uri)
        found = driver.artifact_for(spec, driver.ROOT, estimator, artifact, _telling(console))
        component = write_component(
            model, found, driver.ROOT, output=output, version=version, name=name, uri=uri
        )
        display.show_component(console, component)


@app.command(
    "rehearsal",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def rehearsal_placeholder() -> None:
    """A cloud on this machine: start it, run commands in it, stop it."""


def main() -> None:
    """Run the command line; the entry point of the `greenlight` script."""
    if sys.argv[1:2] == ["rehearsal"]:
        # The rehearsal's own command brings imports that no other verb needs.
        from automation import rehearsal

        rehearsal.app(args=sys.argv[2:], prog_name="greenlight rehearsal")
        return
    app(prog_name="greenlight")


def _source(text: str) -> Source:
    from automation.source import FORMS, source_from_text

    source = source_from_text(text, Path.cwd())
    if source.is_local and not Path(source.value).is_file():
        raise UsageError(f"--from {text!r} does not exist; give {FORMS}")
    return source


def _console() -> Console:
    # Rich takes 80 columns where there is no terminal, which cuts SageMaker's names.
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width)


def _telling(console: Console, shown: ProgressDisplay | None = None) -> Listeners:
    from automation import display
    from automation.driver import Listeners

    return Listeners(
        on_line=None if shown is None else shown.take_line,
        on_state=None if shown is None else shown.take_state,
        on_package=lambda package: display.show_package(console, package),
        on_preview=lambda summary: display.show_preview(console, summary),
    )


@contextmanager
def _progress(title: str) -> Iterator[tuple[Console, ProgressDisplay]]:
    from automation.display import ProgressDisplay

    console = _console()
    with ProgressDisplay(console, title) as shown:
        yield console, shown


@contextmanager
def _errors() -> Iterator[None]:
    """End the command as the error's class says, with its message and no trace."""
    try:
        yield
    except GreenlightError as error:
        _stderr().print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(exit_code_for(error)) from error
    except KeyboardInterrupt as error:
        _stderr().print(
            "interrupted; what SageMaker has begun goes on: `greenlight watch` follows it, and "
            "running the command again picks it up",
            style="yellow",
        )
        raise typer.Exit(INTERRUPTED) from error


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


if __name__ == "__main__":
    main()
