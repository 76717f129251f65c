"""`recall`: load the parameters of an image into the web UI."""

from __future__ import annotations

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Command
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.image_source import load_image
from invokeai_py_client.cli.queue_argument import queue_option
from invokeai_py_client.cli.recall_parameters import parameters_of
from invokeai_py_client.cli.session import Session, with_session


@click.command(
    "recall",
    cls=Command,
    help="""Load the parameters of an image into the web UI, where it is open in a browser.

Prompts, model, LoRAs, size, steps, seed and the like are set; what the image does not tell stays as it is. They come
from the metadata of the image, and from the graph that made it.""",
    example="invokeai-client recall out --row 12",
)
@click.argument(
    "image",
    cls=Argument,
    shell_complete=completion.images,
    help="A PNG that InvokeAI made, unchanged, the name of an image on the server, or the folder of a batch.",
)
@click.option("--row", metavar="ROW", help="With the folder of a batch: the row's index, or the beginning of its id.")
@queue_option("Queue of the web UI.")
@with_session
def command(session: Session, image: str, row: str | None, queue_id: str) -> None:
    """Load parameters into the web UI."""
    from invokeai_py_client.errors import NotFoundError
    from invokeai_py_client.wire.call import api_path

    output = session.output
    source = load_image(session, image, row)
    has_workflow = bool(source.json("workflow"))
    parameters = parameters_of(source.json("metadata"), source.json("graph"), has_workflow=has_workflow)
    if not parameters:
        raise Failure(
            "bad_input",
            f"{source.name} does not tell with which parameters it was made.",
            "Give an image that InvokeAI made from a prompt, unchanged.",
        )
    try:
        answer = session.client.request("POST", api_path("recall", queue_id), json=parameters).json()
    except NotFoundError as error:
        version = session.client.app.get_version()
        raise Failure(
            "not_found", f"InvokeAI {version} cannot load parameters into the web UI.", "Update the server to 6.14."
        ) from error
    accepted = answer.get("parameters")
    # The server leaves out a model that it does not have.
    missing = [name for name in parameters if isinstance(accepted, dict) and name not in accepted]
    for name in missing:
        output.note(f"note: the server has no {name} named {parameters[name]!r}")
    facts = {name: value for name, value in parameters.items() if name not in missing}
    output.done(
        {"recalled": facts, "missing": missing},
        quiet=facts,
        human=lambda: output.facts(
            {
                name: ", ".join(one["model_name"] for one in value) if name == "loras" else value
                for name, value in facts.items()
            }
        ),
    )
    output.note("The web UI has them now, where it is open.")
