"""A workflow document: load it, check it, migrate it. What this client does not know is kept as it came.

The shape is that of the web UI's `types/workflow.ts`; versions 3 and 4 are one shape.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Protocol

from invokeai_py_client.errors import WorkflowFileError, WorkflowVersionError
from invokeai_py_client.files import image_type, whole_file
from invokeai_py_client.json_text import decoded, read_json
from invokeai_py_client.workflow.embedded import embedded_workflow
from invokeai_py_client.workflow.json_values import MAX_DEPTH, as_json, is_too_deep
from invokeai_py_client.workflow.other_formats import what_else
from invokeai_py_client.workflow.references import SavedModel, saved_models

LATEST_VERSION = "4.0.0"
_TEXTS = ("name", "author", "description", "version", "contact", "tags", "notes")
KNOWN_VERSIONS = ("1.0.0", "2.0.0", "3.0.0", LATEST_VERSION)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a document. `data` is the document's own dict: read it, do not change it.

    `kind` is `invocation`, `connector`, `notes` or `current_image`; `type` the invocation's type, else the kind.
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
        """The node pack that the document says the node came from, "" if it does not."""
        pack = self.data.get("nodePack")
        return pack if isinstance(pack, str) else ""

    @property
    def is_intermediate(self) -> bool:
        """Whether what the node makes stays out of the gallery."""
        return bool(self.data.get("isIntermediate", False))

    @property
    def use_cache(self) -> bool:
        """Whether the server may answer from its node cache."""
        return bool(self.data.get("useCache", True))


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge: from an output field to an input field. One without fields only draws a collapsed node."""

    source: str
    source_field: str
    target: str
    target_field: str

    @property
    def is_collapsed(self) -> bool:
        """Whether it stands for edges that a collapsed node hides, and carries nothing itself."""
        return not self.target_field

    def __str__(self) -> str:
        return f"{self.source}.{self.source_field} -> {self.target}.{self.target_field}"


class KeepsImageWorkflows(Protocol):
    """A client's images, as far as `WorkflowDefinition.from_image` needs them."""

    def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow that the server keeps for an image."""
        ...


class KeepsWorkflows(Protocol):
    """A client, as far as `WorkflowDefinition.from_image` needs it."""

    @property
    def image_repo(self) -> KeepsImageWorkflows:
        """Its images."""
        ...


class WorkflowDefinition:
    """A checked workflow in the latest format. It is never changed; many handles may share one.

    Make it with `from_file`, `from_json`, `from_dict` or `from_image`.

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
        """The models that the file names in another form than today's, by (node id, input name)."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> WorkflowDefinition:
        """Load a file that the web UI exported.

        Args:
            path: of a JSON file, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

        Raises:
            WorkflowFileError: it cannot be read, is not JSON, or is not a workflow; the message says where. Graphs for
                the server's API, ComfyUI's files and images are recognised.
            WorkflowVersionError: it is written in a format this client does not know.
        """
        try:
            content = Path(path).read_bytes()
            kind = image_type(content[:16])
            text = "" if kind else decoded(content)
        except (OSError, ValueError) as error:
            raise WorkflowFileError(
                f"The workflow file {os.fspath(path)!r} cannot be read: {error}.",
                source=os.fspath(path),
                hint="Give the path of a JSON file that the web UI exported.",
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
        """Load a workflow from JSON text, encoded or not; errors as in `from_file`."""
        return cls._from_text(text, None)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], *, source: str | None = None) -> WorkflowDefinition:
        """Load a workflow from parsed JSON, which is copied.

        Args:
            document: the workflow.
            source: how errors name it.

        Raises:
            WorkflowFileError: it is no workflow, or holds what JSON cannot.
            WorkflowVersionError: it is written in a format this client does not know.
        """
        try:
            # A copy that cannot hold anything but JSON, however odd what came in.
            copied = as_json(document)
        except ValueError as error:
            raise WorkflowFileError(
                f"{source or 'The workflow'} cannot be written as JSON: {error}.",
                source=source,
                hint="Pass the parsed content of a file that the web UI exported.",
            ) from error
        models = saved_models(copied)
        return cls(_Checker(source).check(copied), source=source, saved_models=models)

    @classmethod
    def from_image(
        cls, image: str | os.PathLike[str] | bytes, client: KeepsWorkflows | None = None
    ) -> WorkflowDefinition:
        """Load the workflow that made an image, to run it again or remix it.

        Args:
            image: a PNG, as a path or its content; or the name of an image on the server of `client`. A text is a
                name if a client is given and there is no file of that name.
            client: for an image on its server.

        Raises:
            WorkflowFileError: it cannot be read, is no PNG, or has no workflow.
            WorkflowVersionError: the workflow is written in a format this client does not know.
            NotFoundError: the server has no such image.
            InvokeAIError: Pillow is not installed.

        `client.workflow_repo.create_workflow(WorkflowDefinition.from_image("tiger.png"))` makes it ready to run.
        """
        if isinstance(image, bytes):
            _check_not_json(image, "The content", "WorkflowDefinition.from_json() loads it.")
            return cls._from_text(embedded_workflow(image, "The image"), "the image")
        source = os.fspath(image)
        if isinstance(image, str):
            _check_not_json(image, "What was given", "WorkflowDefinition.from_json() loads it.")
        if client is not None and isinstance(image, str) and not os.path.isfile(image):
            kept = client.image_repo.get_workflow(image)
            if kept is None:
                raise WorkflowFileError(
                    f"The server keeps no workflow for the image {image!r}.",
                    source=image,
                    hint="Only what a workflow made has one.",
                )
            return cls.from_dict(kept, source=source)
        try:
            content = Path(image).read_bytes()
        except (OSError, ValueError) as error:
            raise WorkflowFileError(
                f"The image {source!r} cannot be read: {error}.",
                source=source,
                hint="Give the path of a PNG; for an image on a server, also the client.",
            ) from error
        _check_not_json(content, repr(source), "WorkflowDefinition.from_file() loads it.")
        return cls._from_text(embedded_workflow(content, repr(source)), source)

    @classmethod
    def _from_text(cls, text: str | bytes, source: str | None) -> WorkflowDefinition:
        try:
            document = read_json(text, parse_constant=_refuse_constant, parse_float=_finite)
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
                f"{source or 'The text'} is no workflow: it nests more than {MAX_DEPTH} deep.",
                source=source,
                hint="Export the workflow from the web UI again.",
            )
        models = saved_models(document)
        return cls(_Checker(source).check(document), source=source, saved_models=models)

    @property
    def name(self) -> str:
        """The name its author gave it."""
        return str(self._document.get("name") or "")

    @property
    def description(self) -> str:
        """What its author says of it."""
        return str(self._document.get("description") or "")

    @property
    def version(self) -> str:
        """The document's format version as it is now: always the latest."""
        return str(self._document["meta"]["version"])

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes by id, in document order."""
        return {node.id: node for node in map(_node, self._document["nodes"])}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges in document order."""
        return tuple(
            Edge(edge["source"], edge["sourceHandle"], edge["target"], edge["targetHandle"])
            if edge.get("type", "default") == "default"
            else Edge(edge["source"], "", edge["target"], "")
            for edge in self._document["edges"]
        )

    @cached_property
    def exposed_fields(self) -> tuple[tuple[str, str], ...]:
        """(node id, field name) of the inputs that the older linear view shows."""
        return tuple((field["nodeId"], field["fieldName"]) for field in self._document["exposedFields"])

    @cached_property
    def is_form_empty(self) -> bool:
        """Whether there is no form, or nothing in it at all, be it a heading (`getIsFormEmpty`)."""
        form = self._document.get("form")
        elements = form.get("elements") if isinstance(form, dict) else None
        root_id = form.get("rootElementId") if isinstance(form, dict) else None
        if not isinstance(elements, dict) or not isinstance(root_id, str):
            return True
        root = elements.get(root_id)
        data = root.get("data") if isinstance(root, dict) and root.get("type") == "container" else None
        children = data.get("children") if isinstance(data, dict) else None
        return not isinstance(children, list) or (len(elements) == 1 and not children)

    @cached_property
    def form_fields(self) -> tuple[tuple[str, str], ...]:
        """(node id, field name) of the inputs that the form shows, depth first; () without a form."""
        return tuple(_form_fields(self._document.get("form")))

    def to_dict(self) -> dict[str, Any]:
        """The document as a copy of its own, in the latest format."""
        copied: dict[str, Any] = json.loads(self.to_json())
        return copied

    def to_json(self) -> str:
        """The document as JSON text."""
        return json.dumps(self._document, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the document as a file that the web UI can load; returns its path."""
        with whole_file(Path(path)) as file:
            file.write(json.dumps(self._document, indent=2).encode())
        return Path(path)

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


def _form_fields(form: Any) -> Iterator[tuple[str, str]]:
    """Walk the form from its root; a loop is walked once.

    What is malformed shows nothing. The web UI would forget the whole form for one malformed element; what runs is
    the same, so the inputs that can be read are kept.
    """
    elements = form.get("elements") if isinstance(form, dict) else None
    if not isinstance(elements, dict):
        return
    todo = [form.get("rootElementId")]
    seen = set()
    while todo:
        element_id = todo.pop()
        element = elements.get(element_id) if isinstance(element_id, str) else None
        if not isinstance(element, dict) or element_id in seen:
            continue
        seen.add(element_id)
        data = element.get("data")
        if not isinstance(data, dict):
            continue
        if element.get("type") == "container" and isinstance(data.get("children"), list):
            todo.extend(reversed(data["children"]))
        elif element.get("type") == "node-field" and isinstance(data.get("fieldIdentifier"), dict):
            node_id, field = (data["fieldIdentifier"].get(name) for name in ("nodeId", "fieldName"))
            if isinstance(node_id, str) and isinstance(field, str):
                yield node_id, field


def _check_not_json(content: str | bytes, what: str, hint: str) -> None:
    """Refuse the JSON of a workflow where an image is wanted."""
    try:
        text = decoded(content) if isinstance(content, bytes) else content
    except ValueError:
        return
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise WorkflowFileError(f"{what} is JSON text, not a PNG.", hint=hint)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        # 1e999 is good JSON, but becomes an infinity that no JSON can hold.
        raise ValueError(f"{text} is too large a number")
    return number


class _Checker:
    """Checks a parsed document and brings it to the latest version, in place."""

    def __init__(self, source: str | None) -> None:
        self._source = source

    def check(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            self._refuse("it is no JSON object")
        other = what_else(document)
        if other is not None:
            what, hint = other
            raise WorkflowFileError(
                f"{self._source or 'This'} is {what}, not an InvokeAI workflow.", source=self._source, hint=hint
            )
        self._migrate(document)
        for name in _TEXTS:
            # The server wants all of them beside an image; a file made by hand may lack some.
            if not isinstance(document.setdefault(name, ""), str):
                self._refuse(f"{name!r} is no text")
        for name in ("nodes", "edges"):
            if not isinstance(document.get(name), list):
                self._refuse(f"{name!r} is no list")
        document["exposedFields"] = self._exposed_fields(document.get("exposedFields"))
        self._check_nodes(document["nodes"])
        for place, edge in enumerate(document["edges"]):
            self._check_edge(f"edges[{place}]", edge)
        return document

    def _migrate(self, document: dict[str, Any]) -> None:
        meta = document.get("meta")
        version = meta.get("version") if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(version, str):
            self._refuse("it has no meta.version")
        if version not in KNOWN_VERSIONS:
            raise WorkflowVersionError(
                f"{self._source or 'The workflow'} is of format version {version!r}; "
                f"this client knows {', '.join(KNOWN_VERSIONS)}.",
                version=version,
                source=self._source,
                hint="A newer client may know it; or export the workflow from an older web UI.",
            )
        if version == "1.0.0":
            # Categories came with 2; only the server's own workflows are `default`.
            meta["category"] = "user"
        meta.setdefault("category", "user")
        meta["version"] = LATEST_VERSION

    def _exposed_fields(self, fields: Any) -> list[dict[str, str]]:
        if fields is None:
            return []
        if not isinstance(fields, list):
            self._refuse("'exposedFields' is no list")
        return [
            field
            for field in fields
            if isinstance(field, dict)
            and isinstance(field.get("nodeId"), str)
            and isinstance(field.get("fieldName"), str)
        ]

    def _check_nodes(self, nodes: list[Any]) -> None:
        seen: set[str] = set()
        for place, node in enumerate(nodes):
            where = f"nodes[{place}]"
            if not isinstance(node, dict):
                self._refuse(f"{where} is no object")
            node_id = self._text(where, node, "id")
            if node_id in seen:
                self._refuse(f"{where} has the id {node_id!r}, which another node has too")
            seen.add(node_id)
            kind = self._text(where, node, "type")
            if not isinstance(node.get("data"), dict):
                self._refuse(f"{where}.data is no object")
            if kind == "invocation":
                self._check_invocation(f"{where}.data", node["data"])

    def _check_invocation(self, where: str, data: dict[str, Any]) -> None:
        self._text(where, data, "type")
        inputs = data.setdefault("inputs", {})
        if not isinstance(inputs, dict):
            self._refuse(f"{where}.inputs is no object")
        for name, value in inputs.items():
            if not isinstance(value, dict):
                self._refuse(f"{where}.inputs.{name} is no object")

    def _check_edge(self, where: str, edge: Any) -> None:
        if not isinstance(edge, dict):
            self._refuse(f"{where} is no object")
        names = ["source", "target"]
        if edge.get("type", "default") == "default":
            names += ["sourceHandle", "targetHandle"]
        for name in names:
            self._text(where, edge, name)

    def _text(self, where: str, holder: Mapping[str, Any], name: str) -> str:
        value = holder.get(name)
        if not isinstance(value, str) or not value.strip():
            self._refuse(f"{where}.{name} is no text")
        return value

    def _refuse(self, why: str) -> NoReturn:
        raise WorkflowFileError(
            f"{self._source or 'This'} is no workflow: {why}.",
            source=self._source,
            hint="Export the workflow from the web UI again.",
        )
