"""References to models, boards and local images, which are resolved when the workflow is submitted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeGuard, TypeVar

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.workflow.value_readers import trimmed

MODEL_PARTS = ("key", "hash", "name", "base", "type")
"""The properties that identify a model in a graph."""

_MOST_LISTED = 10

T = TypeVar("T")


class ReadByName(Protocol):
    """A mapping, or a record with item access."""

    def __getitem__(self, name: str, /) -> Any:
        """Return the value of a key."""
        ...


@dataclass(frozen=True, slots=True)
class ModelReference:
    """An installed model, by its key, hash or name; `bases` and `types` are those that the input accepts."""

    text: str
    bases: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"the model {self.text!r}"


@dataclass(frozen=True, slots=True)
class BoardReference:
    """A board on the server, by its id or name."""

    text: str

    def __str__(self) -> str:
        return f"the board {self.text!r}"


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image to upload: a file, or its content."""

    source: Path | bytes = field(repr=False)

    def __str__(self) -> str:
        return f"the file {str(self.source)!r}" if isinstance(self.source, Path) else "an image in memory"

    def __repr__(self) -> str:
        return f"<LocalImage {self.source}>" if isinstance(self.source, Path) else "<LocalImage in memory>"


@dataclass(frozen=True, slots=True, eq=False)
class SavedModel(ReadsAsMapping):
    """A reference to a model in a workflow file, in any format.

    Unknown parts are None as attributes, and missing when this is used as a mapping. Files of formats 1 and 2 name a
    model as `{"model_name", "base_model", "model_type"}`. The web UI ignores that; the client keeps it to bind the
    input to an installed model.
    """

    name: str | None = None
    base: str | None = None
    type: str | None = None
    key: str | None = None
    hash: str | None = None

    def __str__(self) -> str:
        kind = " ".join(filter(None, (self.base, self.type)))
        return repr(self.name or self.key or self.hash) + (f" ({kind})" if kind else "")

    def _names(self) -> Collection[str]:
        """Return the names of the known parts."""
        return [part for part in MODEL_PARTS if getattr(self, part) is not None]


def saved_model(value: Any) -> SavedModel | None:
    """Read a model reference of any format from a value in a file; None if the value does not name a model.

    Example:
        >>> str(saved_model({"model_name": "dreamshaper", "base_model": "sd-1", "model_type": "main"}))
        "'dreamshaper' (sd-1 main)"
    """
    if isinstance(value, str):
        return SavedModel(name=value) if value.strip() else None
    if not isinstance(value, Mapping):
        return None

    def text(*names: str) -> str | None:
        return next((one for name in names if isinstance(one := value.get(name), str) and one.strip()), None)

    found = SavedModel(
        name=text("model_name", "name"),
        base=text("base_model", "base"),
        type=text("model_type", "type"),
        key=text("key"),
        hash=text("hash"),
    )
    return found if found.name or found.key or found.hash else None


def saved_models(document: Any) -> dict[tuple[str, str], SavedModel]:
    """Find the model references of any format in a workflow document, by node id and input name.

    Args:
        document: the parsed document before any checks, in any format.
    """
    nodes = document.get("nodes") if isinstance(document, Mapping) else None
    found: dict[tuple[str, str], SavedModel] = {}
    for node in nodes if isinstance(nodes, list) else ():
        node_id, data = (node.get("id"), node.get("data")) if isinstance(node, Mapping) else (None, None)
        inputs = data.get("inputs") if isinstance(data, Mapping) else None
        if not isinstance(node_id, str) or not isinstance(inputs, Mapping):
            continue
        for name, given in inputs.items():
            value = given.get("value") if isinstance(given, Mapping) else None
            if isinstance(value, Mapping) and (model := saved_model(value)) is not None:
                found[trimmed(node_id), name] = model
    return found


def is_model(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value identifies a model in the form that the server requires."""
    return isinstance(value, Mapping) and all(isinstance(value.get(part), str) and value[part] for part in MODEL_PARTS)


Reference = ModelReference | BoardReference | LocalImage


class Unresolved(LookupError):
    """No resource, or several, match a reference. `candidates` are those that match."""

    def __init__(self, why: str, candidates: Sequence[Any] = ()) -> None:
        super().__init__(why)
        self.candidates = candidates


def references_in(value: Any) -> Iterable[Reference]:
    """Yield the references in a value, at any depth of lists and dicts."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)


def with_resolved(value: Any, resolved: Mapping[Reference, Mapping[str, Any]]) -> Any:
    """Return a copy of a value with each reference replaced by the resource that it was resolved to."""
    if isinstance(value, Reference):
        return dict(resolved[value])
    if isinstance(value, dict):
        return {name: with_resolved(inner, resolved) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_resolved(inner, resolved) for inner in value]
    return value


def find_model(reference: ModelReference, installed: Sequence[ReadByName]) -> dict[str, str]:
    """Return the identity of the installed model that matches a reference.

    Args:
        reference: the reference, which is compared with keys, then hashes, then names, then names ignoring case.
        installed: the server's models.

    Raises:
        Unresolved: no model matches, or several do.
    """
    fitting = [model for model in installed if is_accepted(model, reference.bases, reference.types)]
    found = find_one(
        reference.text,
        fitting,
        [lambda model: str(model["key"]), lambda model: str(model["hash"]), lambda model: str(model["name"])],
        what="model",
        shown=lambda model: f"{model['name']!r} ({model['base']} {model['type']}, key {model['key']})",
    )
    return {part: found[part] for part in MODEL_PARTS}


def find_board(reference: BoardReference, boards: Sequence[ReadByName]) -> dict[str, str]:
    """Return the board that matches a reference, in the form for a graph.

    Raises:
        Unresolved: no board matches, or several have the name.
    """
    found = find_one(
        reference.text,
        boards,
        [lambda board: str(board["board_id"]), lambda board: str(board["board_name"])],
        what="board",
        shown=lambda board: f"{board['board_name']!r} (id {board['board_id']})",
    )
    return {"board_id": found["board_id"]}


def is_accepted(model: ReadByName, bases: Sequence[str], types: Sequence[str]) -> bool:
    """Return whether a model has one of these bases and types. An empty list allows all."""
    return (not bases or model["base"] in bases) and (not types or model["type"] in types)


def find_one(
    text: str, things: Sequence[T], ways: Sequence[Callable[[T], str]], *, what: str, shown: Callable[[T], str]
) -> T:
    """Find a thing by one of several keys. The first key for which there is a match is used.

    Args:
        text: the key to find.
        things: the candidates.
        ways: functions that return a key of a thing. The last key is its name, which is also compared ignoring case.
        what: the kind of thing, for messages.
        shown: describes a thing in messages.

    Raises:
        Unresolved: no thing matches, or several do; the message lists the most similar names, or all matches.
    """
    name = ways[-1]

    def folded(thing: T) -> str:
        return name(thing).casefold()

    for way, wanted in [*((way, text) for way in ways), (folded, text.casefold())]:
        found = [thing for thing in things if way(thing) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            them = ", ".join(map(shown, found))
            raise Unresolved(f"{len(found)} {what}s match {text!r}: {them}; use the id of one", found)
    names = {folded(thing): shown(thing) for thing in things}
    near = [names[match] for match in difflib.get_close_matches(text.casefold(), names, n=3)]
    listed = [*near, *(one for one in map(shown, things) if one not in near)]
    more = len(listed) - _MOST_LISTED
    raise Unresolved(
        f"no suitable {what} matches {text!r}; the server has "
        + (", ".join(listed[:_MOST_LISTED]) or "none")
        + (f" and {more} more" if more > 0 else "")
    )
