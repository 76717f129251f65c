"""`completion`: what the Tab key offers, also of the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from invokeai_py_client.cli.commands import COMPLETE_VARIABLE, PROGRAM, Command, options_of
from invokeai_py_client.cli.session import Session

_MOST = 50

_MOST_ITEMS = 500
"""Items of the queue that jobs are looked for in, the newest."""

_REMEMBERED = 600.0
"""Seconds for which the inputs of a workflow of the library are remembered."""

_CONTROLS = dict.fromkeys((*range(32), 127))

Get = Callable[..., Any]
"""Sends a request to a path, a POST if it is given a body, and returns the JSON of the response."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command(
    "completion",
    cls=Command,
    help="Print the script that completes commands, options, inputs, boards, models and jobs in a shell.\n\n"
    'Evaluate it in the start-up file of the shell: eval "$(invokeai-client completion bash)" for bash and zsh, and '
    "invokeai-client completion fish | source for fish.",
    example="invokeai-client completion bash",
)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a completion script."""
    from invokeai_py_client.cli import shell_scripts as shell_scripts

    kind = get_completion_class(shell)
    assert kind is not None
    # It is evaluated through a pipe, and must not be JSON there.
    click.echo(kind(click.get_current_context().find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source())


def of_server(names: Callable[[Get, str], list[object]]) -> Completer:
    """Return a completer that offers names of the server, and nothing if it does not respond soon.

    Args:
        names: is given a function that sends a request, and the queue that the command names, quoted.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from urllib.parse import quote

        from invokeai_py_client.cli.quick_requests import ask

        try:
            settings = Session(options_of(ctx)).settings
            queue_id = quote(ctx.params.get("queue_id") or "default", safe="")
            found = [*names(lambda path, body=None: ask(settings, path, body), queue_id)]
        except Exception:
            # Whatever is wrong, a command line that is being typed is no place to tell it.
            return []
        clean = dict.fromkeys(str(name).translate(_CONTROLS) for name in found)
        return [CompletionItem(name) for name in clean if name.startswith(incomplete)][:_MOST]

    return complete


def _boards(get: Get, queue_id: str) -> list[object]:
    return [board["board_name"] for board in get("/api/v1/boards/?all=true")]


def _models(get: Get, queue_id: str) -> list[object]:
    return [model["name"] for model in get("/api/v2/models/")["models"]]


def _items(get: Get, queue_id: str) -> list[object]:
    return [*get(f"/api/v1/queue/{queue_id}/item_ids?order_dir=DESC")["item_ids"]]


def _jobs(get: Get, queue_id: str) -> list[object]:
    item_ids = _items(get, queue_id)[:_MOST_ITEMS]
    items = get(f"/api/v1/queue/{queue_id}/item_summaries_by_ids", {"item_ids": item_ids})
    return [item["batch_id"] for item in items]


def _images(get: Get, queue_id: str) -> list[object]:
    return [*get("/api/v1/images/names?is_intermediate=false")["image_names"]]


boards = of_server(_boards)
models = of_server(_models)
items = of_server(_items)
jobs = of_server(_jobs)
images = of_server(_images)


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows files best."""
    return [CompletionItem(incomplete, type="file")]


def inputs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the inputs of the workflow that is named before, each with an equals sign."""
    # Where a value is still to come, click leaves the arguments before it unread.
    workflow = ctx.params.get("workflow") or next(iter(ctx.args), None)
    if not workflow or workflow == "-":
        return []
    try:
        keys = _keys(ctx, workflow)
    except Exception:
        return []
    return [
        CompletionItem(f"{key}=", help=label.translate(_CONTROLS) or None)
        for key, label in keys.items()
        if key.startswith(incomplete) and key.isprintable()
    ]


def _keys(ctx: click.Context, workflow: str) -> dict[str, str]:
    """Return the label of each input of a workflow by its key. They are remembered, as finding them takes a second."""
    import hashlib
    import json

    from invokeai_py_client.files import cache_folder, whole_file

    session = Session(options_of(ctx), is_quick=True)
    path = Path(workflow)
    is_file = path.is_file()
    content = path.read_bytes() if is_file else f"{session.settings.url} {workflow}".encode()
    folder = cache_folder()
    entry = None if folder is None else folder / "completion" / f"{hashlib.sha256(content).hexdigest()[:32]}.json"
    try:
        if entry is not None and (is_file or time.time() - entry.stat().st_mtime < _REMEMBERED):
            found = json.loads(entry.read_bytes())
            if isinstance(found, dict):
                return {key: str(label) for key, label in found.items()}
    except (OSError, ValueError):
        pass
    from invokeai_py_client.cli.workflow_argument import keys_of, load

    session.take_warnings()
    try:
        definition = load(session, workflow)
        wf = session.client.workflow_repo.create_workflow(definition)
        keys = dict(zip(keys_of(wf.inputs, wf.inputs), (one.label for one in wf.inputs), strict=True))
    finally:
        session.close()
    if entry is not None:
        with whole_file(entry) as file:
            file.write(json.dumps(keys).encode())
    return keys
