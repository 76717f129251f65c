"""`completion`: what the Tab key offers, also of the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from invokeai_py_client.cli.commands import Command, options_of
from invokeai_py_client.cli.session import Session

if TYPE_CHECKING:
    from invokeai_py_client.client import InvokeAIClient

PROGRAM = "invokeai-client"
_VARIABLE = "_INVOKEAI_CLIENT_COMPLETE"
_MOST = 50

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command(
    "completion",
    cls=Command,
    help="Print the script that completes commands, options, inputs, boards, models and jobs in a shell.\n\n"
    'Evaluate it in the start-up file of the shell: eval "$(invokeai-client completion bash)".',
    example="invokeai-client completion bash",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a completion script."""
    kind = get_completion_class(shell)
    assert kind is not None
    # Whoever evaluates it reads it through a pipe, and wants no JSON.
    click.echo(kind(click.get_current_context().find_root().command, {}, PROGRAM, _VARIABLE).source())


def of_server(names: Callable[[InvokeAIClient], Iterable[str]]) -> Completer:
    """Return a completer that offers names of the server, and nothing if it does not respond soon."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from invokeai_py_client.errors import InvokeAIError

        session = Session(options_of(ctx), is_quick=True)
        try:
            fitting = (name for name in names(session.client) if name.startswith(incomplete))
            return [CompletionItem(name) for name in islice(fitting, _MOST)]
        except (InvokeAIError, click.ClickException, OSError):
            return []
        finally:
            session.close()

    return complete


boards = of_server(lambda client: (board.board_name for board in client.board_repo.list_boards()))
models = of_server(lambda client: (model.name for model in client.models.list_models()))
items = of_server(lambda client: (str(item.item_id) for item in client.queue.list_items()))
jobs = of_server(lambda client: dict.fromkeys(item.batch_id for item in islice(client.queue.list_items(), 500)))
images = of_server(lambda client: (image.name for image in islice(client.image_repo.list_images(), 500)))


def inputs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the inputs of the workflow that is named before, each with an equals sign."""
    from invokeai_py_client.cli.workflow_argument import load
    from invokeai_py_client.errors import InvokeAIError

    # Where a value is still to come, click leaves the arguments before it unread.
    workflow = ctx.params.get("workflow") or next(iter(ctx.args), None)
    if not workflow or workflow == "-":
        return []
    session = Session(options_of(ctx), is_quick=True)
    # Bash takes a label with spaces for several words.
    is_bash = os.environ.get(_VARIABLE, "").startswith("bash")
    try:
        wf = session.client.workflow_repo.create_workflow(load(session, workflow))
        keys = [
            (str(entry.index) if is_bash and " " in entry.label else entry.label, entry.label) for entry in wf.inputs
        ]
    except (InvokeAIError, click.ClickException, OSError):
        return []
    finally:
        session.close()
    return [CompletionItem(f"{key}=", help=label) for key, label in keys if key.startswith(incomplete)]
