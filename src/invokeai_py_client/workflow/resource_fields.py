"""Typed input fields for resources of the server: images, videos, boards, models, presets.

A name that only the server can resolve is stored as a reference, and looked up when the workflow is submitted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from invokeai_py_client.errors import NotAnImageError
from invokeai_py_client.files import image_type
from invokeai_py_client.pillow import is_pillow, png_of
from invokeai_py_client.workflow.fields import UNSET, Field, finite_number
from invokeai_py_client.workflow.references import (
    MODEL_PARTS,
    BoardReference,
    LocalImage,
    ModelReference,
    SavedModel,
    is_accepted,
    is_model,
    saved_model,
)
from invokeai_py_client.workflow.templates import ANY_MODEL, ModelTerms
from invokeai_py_client.workflow.value_readers import one_of


class ImageField(Field[Mapping[str, str] | LocalImage]):
    """An image on the server, as `{"image_name"}`. Accepts its name, or any object with an `image_name`.

    Also accepts a path, bytes, an open binary file (which is read immediately) or a Pillow image. These are uploaded
    when the workflow is submitted, equal content only once. A `str` with a path separator is a path, any other `str` is
    a name; use `Path("tiger.png")` for a path without a separator.
    """

    def _check(self, value: Any) -> Mapping[str, str] | LocalImage:
        if isinstance(value, LocalImage):
            return value
        if isinstance(value, os.PathLike) or (isinstance(value, str) and ("/" in value or "\\" in value)):
            return self._file(Path(os.fspath(value)).absolute())
        if is_pillow(value):
            try:
                return LocalImage(png_of(value))
            except NotAnImageError as error:
                self._refuse(value, f"an image that Pillow can write as PNG ({error.__cause__})")
        content = self._read(value) if hasattr(value, "read") else value
        if isinstance(content, bytes | bytearray | memoryview):
            if image_type(bytes(content[:16])) is None:
                self._refuse(value, "the content of an image file; these bytes do not have a known format")
            return LocalImage(bytes(content))
        return _named(
            self,
            value,
            "image_name",
            "an image: its name on the server, or a path, bytes, an open binary file or a Pillow image to upload",
        )

    def _check_sendable(self, value: Any) -> None:
        # For security, a path in a workflow file is neither read nor uploaded.
        if not isinstance(value, LocalImage):
            _check_named(self, value, "image_name")

    def _read(self, file: Any) -> bytes:
        try:
            content = file.read()
        except (OSError, ValueError) as error:
            self._refuse(file, f"an open binary file; this one cannot be read ({error})")
        if not isinstance(content, bytes):
            self._refuse(file, "an open binary file, opened with mode 'rb'")
        return content

    def _file(self, path: Path) -> LocalImage:
        try:
            with path.open("rb") as file:
                kind = image_type(file.read(16))
        except (OSError, ValueError) as error:
            self._refuse(path, f"the path of an image file; {getattr(error, 'strerror', None) or error}")
        if kind is None:
            self._refuse(path, "the path of an image file; that file does not have a known format")
        return LocalImage(path)


class VideoField(Field[Mapping[str, str]]):
    """A video on the server, as `{"video_name"}`. Accepts its name."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "video_name", "a video on the server, by its name")

    def _check_sendable(self, value: Any) -> None:
        _check_named(self, value, "video_name")


class BoardField(Field[Any]):
    """A board as `{"board_id"}`, "auto" for the client's default board, or "none".

    Another `str` is the id or the name of a board, which is looked up when the workflow is submitted.
    """

    def _check(self, value: Any) -> Any:
        if isinstance(value, BoardReference) or (isinstance(value, str) and value in {"auto", "none"}):
            return value
        if isinstance(value, str) and value:
            return BoardReference(value)
        return _named(self, value, "board_id", "'auto', 'none', or a board by its name or id")

    def _check_sendable(self, value: Any) -> None:
        # An empty value means 'auto'.
        if value and not isinstance(value, BoardReference) and value not in ("auto", "none"):
            _check_named(self, value, "board_id", "'auto', 'none' or ")


class StylePresetField(Field[Mapping[str, str]]):
    """A style preset, as `{"style_preset_id"}`. Accepts its id."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "style_preset_id", "a style preset, by its id")

    def _check_sendable(self, value: Any) -> None:
        _check_named(self, value, "style_preset_id")


class SystemPromptField(Field[Mapping[str, str]]):
    """A system prompt, as `{"system_prompt_id"}`. Accepts its id."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "system_prompt_id", "a system prompt, by its id")

    def _check_sendable(self, value: Any) -> None:
        _check_named(self, value, "system_prompt_id")


class ModelField(Field[Mapping[str, Any] | ModelReference]):
    """A model, as `{"key", "hash", "name", "base", "type"}`. Accepts any object with these attributes.

    A `str` is the key, hash or name of an installed model, which is looked up when the workflow is submitted. Setting
    `key`, `hash` or `name` does the same; `base` and `type` then narrow that down.

    Example:
        >>> field = wf.inputs["Model"].field
        >>> field.value = "dreamshaper"
        >>> field.name
        'dreamshaper'
    """

    saved: SavedModel | None = None
    """The model that the file names, in any format."""

    terms: ModelTerms = ANY_MODEL
    """The bases, types and submodel types of models that the server knows."""

    @property
    def unbound(self) -> SavedModel | None:
        """The file's model reference if InvokeAI cannot read it and it is not bound yet; otherwise None."""
        if self.is_changed or is_model(self._value):
            return None
        return self.saved or (saved_model(self._value) if isinstance(self._value, str) else None)

    @property
    def key(self) -> str | None:
        """The model's key, None if it is unknown; setting it selects the model with that key."""
        return self._part("key")

    @key.setter
    def key(self, key: str) -> None:
        self.value = key

    @property
    def hash(self) -> str | None:
        """The model's hash, None if it is unknown; setting it selects the model with that hash."""
        return self._part("hash")

    @hash.setter
    def hash(self, hash: str) -> None:
        self.value = hash

    @property
    def name(self) -> str | None:
        """The model's name, or the string that it was set to; setting it selects the model with that name."""
        chosen = self._value
        return chosen.text if isinstance(chosen, ModelReference) else self._part("name")

    @name.setter
    def name(self, name: str) -> None:
        self.value = name

    @property
    def base(self) -> str | None:
        """The model's base, None if it is unknown; setting it narrows down a model that was selected by name."""
        return self._part("base")

    @base.setter
    def base(self, base: str) -> None:
        self._narrow("base", base)

    @property
    def type(self) -> str | None:
        """The model's type, None if it is unknown; setting it narrows down a model that was selected by name."""
        return self._part("type")

    @type.setter
    def type(self, type: str) -> None:
        self._narrow("type", type)

    def _part(self, part: str) -> str | None:
        value = self._value
        if isinstance(value, ModelReference):
            narrowed = {"base": value.bases, "type": value.types}.get(part, ())
            return narrowed[0] if len(narrowed) == 1 else None
        found = _part(value, part)
        return found if isinstance(found, str) else None

    def _narrow(self, part: Literal["base", "type"], wanted: str) -> None:
        """Restrict a model that was selected by name to a base or type."""
        value, allowed = self._value, self.bases if part == "base" else self.types
        if not isinstance(value, ModelReference) and self._part(part) != wanted:
            self._refuse(wanted, f"a model; set its key or name first, then its {part}")
        if allowed and wanted not in allowed:
            self._refuse(wanted, f"a model of {part} {' or '.join(allowed)}")
        if isinstance(value, ModelReference):
            self.value = replace(value, bases=(wanted,)) if part == "base" else replace(value, types=(wanted,))

    @property
    def bases(self) -> tuple[str, ...]:
        """The allowed base models; () for any."""
        return self.template.model_bases

    @property
    def types(self) -> tuple[str, ...]:
        """The allowed model types; () for any."""
        return self.template.model_types

    def accepts(self, model: Mapping[str, Any]) -> bool:
        """Return whether the field allows a model's base and type."""
        return is_accepted(model, self.bases, self.types)

    def _check(self, value: Any) -> Mapping[str, Any] | ModelReference:
        if isinstance(value, str) and value:
            return ModelReference(value, self.bases, self.types)
        if isinstance(value, ModelReference):
            return value
        model = _identity(
            self,
            value,
            self.terms,
            "a model: its name or key, one of client.dnn_model_repo.list_models(), or a mapping with "
            + ", ".join(MODEL_PARTS),
        )
        if not self.accepts(model):
            kinds = " or ".join(self.types) or "model"
            self._refuse(value, f"a {kinds} of base {' or '.join(self.bases) or 'any'}")
        submodel = _part(value, "submodel_type")
        if submodel is None:
            return model
        _check_known(self, value, "submodel_type", submodel, self.terms.submodels)
        return {**model, "submodel_type": submodel}

    def fault(self) -> str | None:
        """Return why the value cannot be sent as a model, which may be that the file's model is not bound."""
        if self.unbound is None:
            return super().fault()
        return (
            f"the file names the model {self.unbound} in an old format that InvokeAI does not read; bind it with "
            "sync_dnn_model(), or set a model"
        )

    def _check_sendable(self, value: Any) -> None:
        if not is_model(value) and not isinstance(value, ModelReference):
            self._refuse(value, "a model: a mapping with " + ", ".join(MODEL_PARTS))


class LoRAField(Field[Mapping[str, Any]]):
    """A LoRA and its weight, as `{"lora", "weight"}`. Also accepts a model alone, which gets the web UI's weight, 0.75.

    The model can have any form that a `ModelField` accepts.
    """

    terms: ModelTerms = ANY_MODEL
    """The bases and types of models that the server knows."""

    def _check(self, value: Any) -> Mapping[str, Any]:
        given, weight = _part(value, "lora"), _part(value, "weight")
        amount = 0.75 if weight is None else finite_number(weight)
        if amount is None:
            self._refuse(value, "a LoRA with a finite number as its weight")
        named = value if given is None else given
        if isinstance(named, str) and named:
            return {"lora": ModelReference(named, (), ("lora",)), "weight": amount}
        if isinstance(named, ModelReference):
            return {"lora": named, "weight": amount}
        wants = "a LoRA: a model of type 'lora', or {'lora': such a model, 'weight': a number}"
        model = _identity(self, named, self.terms, wants)
        if model["type"] != "lora":
            self._refuse(value, wants)
        return {"lora": model, "weight": amount}

    def _check_sendable(self, value: Any) -> None:
        model = value.get("lora") if isinstance(value, Mapping) else None
        if not is_model(model) and not isinstance(model, ModelReference):
            self._refuse(value, "a LoRA: {'lora': a model, 'weight': a number}")


def _named(field: Field[Any], value: Any, key: str, wants: str) -> Mapping[str, str]:
    name = value if isinstance(value, str) else _part(value, key)
    if not isinstance(name, str) or not name:
        field._refuse(value, wants)
    return {key: name}


def _check_named(field: Field[Any], value: Any, key: str, others: str = "") -> None:
    name = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(name, str) or not name:
        field._refuse(value, f"{others}{{{key!r}: a name or id}}")


def _identity(field: Field[Any], value: Any, terms: ModelTerms, wants: str) -> dict[str, Any]:
    """Return the parts of a model's identity, from a mapping or a record."""
    model = {name: _part(value, name) for name in MODEL_PARTS}
    if not all(isinstance(part, str) and part for part in model.values()):
        field._refuse(value, wants)
    _check_known(field, value, "base", model["base"], terms.bases)
    _check_known(field, value, "type", model["type"], terms.types)
    return model


def _check_known(field: Field[Any], value: Any, name: str, part: Any, known: Collection[str] | None) -> None:
    if one_of(known)(part) is UNSET:
        options = "a string" if known is None else "one of " + ", ".join(sorted(map(repr, known)))
        field._refuse(value, f"a model whose {name} is {options}")


def _part(value: Any, name: str) -> Any:
    """Return a part of a mapping, or of a record; None if it has none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
