"""Workflow documents: loading, checking and migrating them. Unknown parts are kept unchanged.

The structure is that of the web UI's `types/workflow.ts`; formats 3 and 4 have the same structure.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from invokeai_py_client.errors import WorkflowFileError
from invokeai_py_client.files import image_type, path_of, whole_file
from invokeai_py_client.json_text import decoded, read_json
from invokeai_py_client.workflow.document_checks import checked
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.foreign_formats import what_else
from invokeai_py_client.workflow.form import read_form
from invokeai_py_client.workflow.json_values import MAX_DEPTH, as_json, is_too_deep
from invokeai_py_client.workflow.references import SavedModel, saved_models
from invokeai_py_client.workflow.value_readers import trimmed

_LARGE = 200
"""The number of nodes and edges above which a check takes more than about 10 ms."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a document. `data` is a part of the document: do not change it.

    `kind` is `invocation`, `connector`, `notes` or `current_image`. `type` is the type of an invocation, otherwise the
    kind.
    """

    id: str
    kind: str
    type: str
    label: str
    version: str
    data: Mapping[str, Any]

    @property
    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """The inputs by name: each has `value`, if one is set, and `label`."""
        inputs: Mapping[str, Mapping[str, Any]] = self.data.get("inputs") or {}
        return inputs

    @property
    def node_pack(self) -> str:
        """The node pack of the node according to the document, "" if it does not say."""
        pack = self.data.get("nodePack")
        return pack if isinstance(pack, str) else ""

    @property
    def is_intermediate(self) -> bool:
        """Whether the images of the node are intermediate, which hides them in the gallery."""
        return bool(self.data.get("isIntermediate", False))

    @property
    def use_cache(self) -> bool:
        """Whether the server may use its node cache for this node."""
        return bool(self.data.get("useCache", True))


class KeepsImageWorkflows(Protocol):
    """The part of `client.image_repo` that `WorkflowDefinition.from_image` needs."""

    def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """Return the workflow that the server stores with an image."""
        ...


class KeepsWorkflows(Protocol):
    """The part of a client that `WorkflowDefinition.from_image` needs."""

    # A cached property as in the client: pyright does not accept one for a property of a protocol.
    @cached_property
    def image_repo(self) -> KeepsImageWorkflows:
        """The images."""
        ...


class WorkflowDefinition:
    """A checked workflow in the current format. It is immutable; several handles may share it.

    Create it with `from_file`, `from_json`, `from_dict` or `from_image`.

    Example:
        >>> WorkflowDefinition.from_dict({"name": "empty", "nodes": [], "edges": [], "meta": {"version": "3.0.0"}}).name
        'empty'
    """

    def __init__(
        self,
        document: dict[str, Any],
        *,
        source: str | None = None,
        saved_models: Mapping[tuple[str, str], SavedModel] | None = None,
    ) -> None:
        self._document = document
        self.source = source
        self.saved_models = saved_models or {}
        """The models that the file names, in any format, by (node id, input name)."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> WorkflowDefinition:
        """Load a file that the web UI exported.

        Args:
            path: the path of a JSON file, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

        Returns:
            The workflow, converted to the current format.

        Raises:
            WorkflowFileError: the file cannot be read, is not JSON, or is not a workflow. Graphs for the server's API,
                files of ComfyUI and images are recognized.
            WorkflowVersionError: the format version of the file is unknown.
        """
        try:
            content = Path(path).read_bytes()
            kind = image_type(content[:16])
            text = "" if kind else decoded(content)
        except (OSError, ValueError) as error:
            raise WorkflowFileError(
                f"The workflow file {os.fspath(path)!r} cannot be read: {error}.",
                source=os.fspath(path),
                hint="Pass the path of a JSON file that the web UI exported.",
            ) from error
        if kind:
            raise WorkflowFileError(
                f"{os.fspath(path)!r} is an image ({kind}), not a workflow file.",
                source=os.fspath(path),
                hint="WorkflowDefinition.from_image() loads the workflow that InvokeAI wrote into a PNG.",
            )
        return cls._from_text(text, os.fspath(path))

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkflowDefinition:
        """Load a workflow from JSON text or bytes. Raises the same errors as `from_file`."""
        return cls._from_text(text, None)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], *, source: str | None = None) -> WorkflowDefinition:
        """Load a workflow from parsed JSON, which is copied.

        Args:
            document: the workflow.
            source: the name for it in error messages.

        Raises:
            WorkflowFileError: the document is not a workflow, or cannot be written as JSON.
            WorkflowVersionError: the format version of the document is unknown.
        """
        try:
            # The copy contains nothing but JSON types.
            copied = as_json(document)
        except ValueError as error:
            raise WorkflowFileError(
                f"{source or 'The workflow'} cannot be written as JSON: {error}.",
                source=source,
                hint="Pass the parsed content of a file that the web UI exported.",
            ) from error
        return cls._of(copied, source)

    @classmethod
    def from_image(
        cls, image: str | os.PathLike[str] | bytes, client: KeepsWorkflows | None = None
    ) -> WorkflowDefinition:
        """Load the workflow that created an image.

        Args:
            image: the path or content of a PNG, or the name of an image on the server. With `client`, a `str` is the
                name of an image unless there is such a file.
            client: the client of the server that has the image.

        Returns:
            The workflow, converted to the current format.

        Raises:
            WorkflowFileError: the image cannot be read, is not a PNG, or contains no workflow.
            WorkflowVersionError: the format version of the workflow is unknown.
            NotFoundError: the server has no such image.
            InvokeAIError: Pillow is not installed.

        To run it, pass it on: `client.workflow_repo.create_workflow(WorkflowDefinition.from_image("tiger.png"))`.
        """
        from invokeai_py_client.workflow.embedded import embedded_workflow

        if isinstance(image, bytes):
            _check_not_json(image, "The content", "WorkflowDefinition.from_json() loads it.")
            return cls._from_text(embedded_workflow(image, "The image"), "the image")
        source = os.fspath(image)
        if isinstance(image, str):
            _check_not_json(image, "The argument", "WorkflowDefinition.from_json() loads it.")
        if client is not None and isinstance(image, str) and not os.path.isfile(image):
            kept = client.image_repo.get_workflow(image)
            if kept is None:
                raise WorkflowFileError(
                    f"The server has no workflow for the image {image!r}.",
                    source=image,
                    hint="Only images that were created by a workflow have one.",
                )
            return cls.from_dict(kept, source=source)
        try:
            content = Path(image).read_bytes()
        except (OSError, ValueError) as error:
            raise WorkflowFileError(
                f"The image {source!r} cannot be read: {error}.",
                source=source,
                hint="Pass the path of a PNG; for an image on a server, also pass the client.",
            ) from error
        _check_not_json(content, repr(source), "WorkflowDefinition.from_file() loads it.")
        return cls._from_text(embedded_workflow(content, repr(source)), source)

    @classmethod
    def _from_text(cls, text: str | bytes, source: str | None) -> WorkflowDefinition:
        try:
            document = read_json(text, parse_constant=_refuse_constant, parse_float=_readable)
        except (TypeError, AttributeError, ValueError) as error:
            is_path = source is None and isinstance(text, str | os.PathLike) and os.fspath(text).endswith(".json")
            raise WorkflowFileError(
                f"{source or 'The text'} is not JSON: {error}.",
                source=source,
                hint="WorkflowDefinition.from_file() loads a file."
                if is_path
                else "Export the workflow from the web UI again.",
            ) from error
        if is_too_deep(document):
            raise WorkflowFileError(
                f"{source or 'The text'} is not a workflow: it is nested more than {MAX_DEPTH} deep.",
                source=source,
                hint="Export the workflow from the web UI again.",
            )
        return cls._of(document, source)

    @classmethod
    def _of(cls, document: Any, source: str | None) -> WorkflowDefinition:
        other = what_else(document) if isinstance(document, Mapping) else None
        if other is not None:
            what, hint = other
            raise WorkflowFileError(
                f"{source or 'This'} is {what}, not an InvokeAI workflow.", source=source, hint=hint
            )
        # Before `checked`, which drops references to models in older formats, as the web UI does.
        models = saved_models(document)
        return cls(checked(document, source), source=source, saved_models=models)

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return str(self._document.get("name") or "")

    @property
    def description(self) -> str:
        """The description of the workflow."""
        return str(self._document.get("description") or "")

    @property
    def version(self) -> str:
        """The format version after migration: 4.0.0 if the workflow has connectors, otherwise 3.0.0."""
        return str(self._document["meta"]["version"])

    @property
    def meta(self) -> Mapping[str, Any]:
        """The metadata of the document: `version` and `category`. It is a part of the document: do not change it."""
        return MappingProxyType(self._document["meta"])

    @property
    def form(self) -> Mapping[str, Any]:
        """The form of the document, empty if it has none. It is a part of the document: do not change it."""
        return MappingProxyType(self._document.get("form") or {})

    @cached_property
    def all_nodes(self) -> tuple[Node, ...]:
        """All nodes in document order; ids may repeat."""
        return tuple(map(_node, self._document["nodes"]))

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes by id, in document order. If ids repeat, the last invocation, which is the one that runs."""
        nodes: dict[str, Node] = {}
        for node in self.all_nodes:
            if node.kind == "invocation" or node.id not in nodes or nodes[node.id].kind != "invocation":
                nodes[node.id] = node
        return nodes

    @cached_property
    def is_large(self) -> bool:
        """Whether processing the document would block an event loop for too long, so that it needs a thread."""
        generates = any(node.type.endswith("_generator") for node in self.all_nodes)
        return generates or len(self.all_nodes) + len(self.edges) > _LARGE

    @cached_property
    def first_nodes(self) -> Mapping[str, Node]:
        """The first node with each id, which is the one that edges refer to."""
        return {node.id: node for node in reversed(self.all_nodes)}

    @cached_property
    def first_invocations(self) -> Mapping[str, Node]:
        """The first invocation with each id, which is the one that forms refer to."""
        return {node.id: node for node in reversed(self.all_nodes) if node.kind == "invocation"}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges in document order."""
        return tuple(
            Edge(edge["source"], edge["sourceHandle"], edge["target"], edge["targetHandle"], _edge_id(edge, place))
            if edge.get("type") in (None, "default")
            else Edge(edge["source"], "", edge["target"], "", _edge_id(edge, place))
            for place, edge in enumerate(self._document["edges"])
        )

    @cached_property
    def exposed_fields(self) -> tuple[tuple[str, str], ...]:
        """(node id, field name) of the inputs that the older linear view shows."""
        return tuple((field["nodeId"], field["fieldName"]) for field in self._document["exposedFields"])

    @cached_property
    def is_form_empty(self) -> bool:
        """Whether the document has no usable form, or a form without elements."""
        return read_form(self._document.get("form")).is_empty

    @cached_property
    def form_fields(self) -> tuple[tuple[str, str], ...]:
        """(node id, field name) of the inputs that the form shows, depth first; () without a form."""
        return tuple(read_form(self._document.get("form")).fields())

    @cached_property
    def form_settings(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """The form's settings for inputs, by (node id, field name): `min` and `max`, or the `options` of a dropdown."""
        return read_form(self._document.get("form")).settings()

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the document in the current format."""
        copied: dict[str, Any] = json.loads(self.to_json())
        return copied

    def to_json(self, indent: int | None = None) -> str:
        """Return the document as JSON text.

        Args:
            indent: the number of spaces by which each level is indented; None for a single line.
        """
        return json.dumps(self._document, ensure_ascii=False, indent=indent)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the document to a file that the web UI can load, and return its path.

        Args:
            path: the path of the file, which is replaced if it exists.

        Raises:
            UnsafePathError: the path has a NUL character.
            OSError: the file cannot be written.
        """
        target = path_of(path)
        with whole_file(target) as file:
            file.write(json.dumps(self._document, indent=2).encode())
        return target

    def __repr__(self) -> str:
        return f"<WorkflowDefinition {self.name!r}: {len(self.nodes)} nodes>"


def _node(raw: Mapping[str, Any]) -> Node:
    data = raw["data"]
    kind = raw["type"]
    return Node(
        id=raw["id"],
        kind=kind,
        type=data["type"] if kind == "invocation" else kind,
        label=str(data.get("label") or ""),
        version=str(data.get("version") or "1.0.0"),
        data=data,
    )


def _edge_id(raw: Mapping[str, Any], place: int) -> str:
    """Return the id of an edge, or a new one if it has none."""
    given = raw.get("id")
    return trimmed(given) if isinstance(given, str) and trimmed(given) else f"edges[{place}]"


def _check_not_json(content: str | bytes, what: str, hint: str) -> None:
    """Raise a WorkflowFileError if the content of an image is JSON text."""
    try:
        text = decoded(content) if isinstance(content, bytes) else content
    except ValueError:
        return
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise WorkflowFileError(f"{what} is JSON text, not a PNG.", hint=hint)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _readable(text: str) -> float:
    number = float(text)
    # JSON has no infinity. Every reader converts an integer of this size to one.
    return number if math.isfinite(number) else 10**400 * (1 if number > 0 else -1)
