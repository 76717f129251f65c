"""The command `invokeai-client` itself: its commands, and what becomes of their errors."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from invokeai_py_client import __version__
from invokeai_py_client.cli.commands import (
    COMPLETE_VARIABLE,
    FORMATS,
    PROGRAM,
    GlobalOptions,
    LazyGroup,
    MissingCommand,
)
from invokeai_py_client.cli.failures import BAD_INPUT, Failure, failure_of
from invokeai_py_client.cli.output import Output

_HERE = "invokeai_py_client.cli"


class _Root(LazyGroup):
    """The command itself, which ends without an error when stdout is closed by its reader, such as `head`."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # Caught here, as click would make it exit code 1.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


root = _Root(
    PROGRAM,
    modules={
        "run": (f"{_HERE}.run", "Run a workflow, and save the images that it makes."),
        "batch": (f"{_HERE}.batch", "Run a workflow once for each row of a file."),
        "sweep": (f"{_HERE}.sweep", "Run every combination of some values, and compare the results."),
        "report": (f"{_HERE}.report", "Write or open the page of a batch or sweep."),
        "inputs": (f"{_HERE}.inputs", "List the inputs of a workflow."),
        "check": (f"{_HERE}.check", "Check whether a workflow would run on the server."),
        "codegen": (f"{_HERE}.codegen", "Generate a Python module with typed inputs for a workflow."),
        "jobs": (f"{_HERE}.jobs", "List, watch, wait for, cancel and retry what was submitted."),
        "workflows": (f"{_HERE}.workflows", "List, download and upload workflows of the library."),
        "images": (f"{_HERE}.images", "List, download, upload and delete images."),
        "boards": (f"{_HERE}.boards", "List, create and delete boards."),
        "models": (f"{_HERE}.models", "List, install and delete models."),
        "queue": (f"{_HERE}.queue", "Look at the queue, and pause or clear it."),
        "reproduce": (f"{_HERE}.reproduce", "Make an image again, and compare the pixels."),
        "recall": (f"{_HERE}.recall", "Load the parameters of an image into the web UI."),
        "server": (f"{_HERE}.server", "Install, start and stop a server on this machine, and ask how any is."),
        "fleet": (f"{_HERE}.fleet", "Look at the servers of a fleet."),
        "doctor": (f"{_HERE}.doctor", "Find what is in the way of a run."),
        "login": (f"{_HERE}.login", "Log in to a multi-user server."),
        "logout": (f"{_HERE}.logout", "Forget the token of a server."),
        "completion": (f"{_HERE}.completion", "Print the completion script of a shell."),
        "discover": (f"{_HERE}.discover", "Describe all commands, options and error codes."),
    },
    help="Run workflows of InvokeAI's web UI from the command line.\n\n"
    "Data goes to stdout, all else to stderr. In a pipe, or with --format json, stdout is one JSON document.",
    example="invokeai-client run workflow.json --set 'Positive Prompt=a tiger cub' --out out",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="%(version)s")(root)


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    options = GlobalOptions(format=_format_in(arguments))
    if COMPLETE_VARIABLE in os.environ:
        # It tells click how to speak to the shells.
        from invokeai_py_client.cli import shell_scripts as shell_scripts
    try:
        with _logging_to_stderr("--verbose" in arguments):
            result = root.main([*arguments], prog_name=PROGRAM, standalone_mode=False, obj=options)
        return result if isinstance(result, int) else 0
    except (Exception, KeyboardInterrupt) as error:
        return _fail(error, options)


@contextlib.contextmanager
def _logging_to_stderr(is_wanted: bool) -> Iterator[None]:
    """Log requests, and the tracebacks of errors, if that is wanted."""
    if not is_wanted:
        yield
        return
    import logging

    logger = logging.getLogger("invokeai_py_client")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    except BaseException as error:
        logger.debug("", exc_info=error)
        if traceback := getattr(error, "error_traceback", None):
            logger.debug("On the server:\n%s", traceback)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def _fail(error: BaseException, options: GlobalOptions) -> int:
    output = Output(options.format, no_color=bool(options.no_color))
    if isinstance(error, MissingCommand):
        if output.is_human:
            click.echo(error.group.get_help(), err=True)
            return BAD_INPUT
        names = ", ".join(error.names)
        failure = Failure("usage", f"A command must follow {error.group.command_path}.", f"Commands: {names}.")
    elif isinstance(error, click.Abort):
        failure = Failure("interrupted", "Interrupted.")
    elif isinstance(error, click.ClickException):
        message, hint = error.format_message(), ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"See: {error.ctx.command_path} --help"
        if isinstance(error, click.NoSuchOption) and error.option_name == "--json":
            message, hint = "There is no option --json.", "Use --format json. In a pipe, that is the default."
        # Click lists choices on lines of their own.
        failure = Failure("usage", " ".join(message.split()), hint)
    else:
        failure = failure_of(error)
    output.failed(failure)
    return failure.exit_code


def _format_in(arguments: Sequence[str]) -> str | None:
    """Return the format that is asked for, so that an error in the command line has it, too."""
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--format":
            chosen = value or (arguments[number + 1] if number + 1 < len(arguments) else "")
            return chosen if chosen in FORMATS else None
    return None
