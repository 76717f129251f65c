"""The argument WORKFLOW, and the values of `--set`."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session

if TYPE_CHECKING:
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.workflow.document import WorkflowDefinition
    from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs

workflow_argument = click.argument(
    "workflow",
    cls=Argument,
    shell_complete=completion.files,
    help="A file that the web UI exported, an image that InvokeAI made from a workflow (PNG), the name or id of a "
    "workflow in the server's library, or - for JSON on stdin.",
)

set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=completion.inputs,
    help="Set an input, by label, index or node.field. Image=@photo.png uploads a file. Can be repeated.",
)


_MOST_FILES = 1_000
"""How many files of a folder a misspelt name is compared with."""


_NEAR = 0.8
"""How similar a file's name must be: all have the same suffix."""


def load(session: Session, workflow: str) -> WorkflowDefinition:
    """Load a workflow.

    Raises:
        Failure: there is no such file or workflow.
        WorkflowError: what is there is not a workflow.
    """
    from invokeai_py_client.errors import InvokeAIError, NotFoundError
    from invokeai_py_client.workflow.document import WorkflowDefinition

    if workflow == "-":
        return WorkflowDefinition.from_json(sys.stdin.buffer.read())
    path = Path(workflow)
    if path.is_file():
        is_image = path.suffix.lower() == ".png"
        return WorkflowDefinition.from_image(path) if is_image else WorkflowDefinition.from_file(path)
    try:
        return session.client.workflow_repo.download_workflow(workflow)
    except NotFoundError as error:
        what = "a folder, not a workflow" if path.is_dir() else "neither a file nor a workflow of the server's library"
        names = [one.name for one in session.client.workflow_repo.list_available_workflows()]
        failure = Failure("not_found", f"{workflow!r} is {what}.", _near(path, names))
        raise failure from error
    except InvokeAIError as error:
        if path.suffix.lower() not in (".json", ".png"):
            raise
        # It is the file that is missing, whatever the server has.
        raise Failure("bad_input", f"There is no file {workflow!r}.", _near(path, [])) from error


def _near(path: Path, names: Sequence[str]) -> str:
    """Name the file or the workflow of the library that was probably meant."""
    near = difflib.get_close_matches(str(path), _workflow_files(path.parent), n=1, cutoff=_NEAR)
    near += difflib.get_close_matches(str(path), names, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Give the path of a file that the web UI exported."


def _workflow_files(folder: Path) -> list[str]:
    try:
        return [str(path) for path in islice(folder.glob("*.json"), _MOST_FILES)]
    except OSError:
        return []


def set_inputs(wf: WorkflowHandle, assignments: Iterable[str]) -> None:
    """Set inputs as `--set` says, all or none.

    Args:
        wf: the workflow.
        assignments: each is `KEY=VALUE`; the key is a label, an index, or `node.field`.

    Raises:
        Failure: one is not `KEY=VALUE`, or names a file that is not there.
        InputNotFoundError, InputValueError: there is no such input, or it does not allow the value.
    """
    values: dict[tuple[str, str], Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise Failure("usage", f"--set {assignment!r} has no '='.", "Write --set 'Label=value'.")
        entry = find_input(wf, key.strip())
        values[entry.node_id, entry.field_name] = value_of(entry, text)
    wf.set_many(values)


def find_input(wf: WorkflowHandle, key: str) -> WorkflowInput:
    """Return the input of a label, an index, or `node.field`.

    Raises:
        InputNotFoundError: there is none.
    """
    labels = {entry.label.casefold() for entry in wf.inputs}
    if key.casefold() in labels:
        return wf.inputs[key]
    index = whole_number(key)
    if index is not None and index >= 0:
        return wf.inputs[index]
    node, dot, name = key.rpartition(".")
    return wf.inputs[node, name] if dot else wf.inputs[key]


def whole_number(text: str) -> int | None:
    """Return the whole number that a text is; None if it is another text, or has more digits than any index or seed."""
    return int(text) if re.fullmatch(r"-?\d{1,20}", text.strip()) else None


def keys_of(form: WorkflowInputs, entries: Sequence[WorkflowInput]) -> list[str]:
    """Return a key for each input that `find_input` takes, and that `--set` can tell from the value.

    It is the label of an input of the form that no other has, else `node.field`.

    Args:
        form: the inputs of the workflow's form.
        entries: these, or inputs that the form does not show.
    """
    count = Counter(entry.label.casefold() for entry in form)
    return [
        entry.label
        if entry.index is not None and count[entry.label.casefold()] == 1 and _is_plain(entry.label)
        else f"{node_name(form, entry.node_id)}.{entry.field_name}"
        for entry in entries
    ]


def node_name(form: WorkflowInputs, node_id: str) -> str:
    """Return the label or the type of a node, if it is the only one with that name, else its id."""
    for node in form.nodes.answering_to(node_id):
        for name in (node.label, node.type):
            if _is_plain(name) and [one.id for one in form.nodes.answering_to(name)] == [node_id]:
                return name
    return node_id


def _is_plain(label: str) -> bool:
    return label == label.strip() != "" and label.isprintable() and "=" not in label


def value_of(entry: WorkflowInput, text: str) -> Any:
    """Return the value that a text means for an input.

    Raises:
        Failure: `@` names a file that is not there.
    """
    from invokeai_py_client.workflow.resource_fields import ImageField, ModelField
    from invokeai_py_client.workflow.templates import Cardinality

    field = entry.field
    options = {str(option): option for option in field.template.options}
    if text in options:
        return options[text]
    if isinstance(field, ImageField) and text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise Failure("bad_input", f"There is no file {text[1:]!r} for the input {entry.label!r}.")
        return path
    kind = field.template.type
    if kind.cardinality is Cardinality.SINGLE:
        if kind.name in _TEXTS or isinstance(field, ModelField):
            return text
        if kind.name == "BooleanField" and text.casefold() in _BOOLEANS:
            return _BOOLEANS[text.casefold()]
    try:
        return json.loads(text)
    except ValueError:
        return text


_TEXTS = {"StringField", "EnumField", "SchedulerField", "BoardField", "ImageField", "VideoField"}
_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
