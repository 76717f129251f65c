"""Typed input fields for resources of the server: images, videos, boards, models, presets.

A name that only the server can resolve is held as a reference, and looked up when the workflow is submitted.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invokeai_py_client.files import image_type
from invokeai_py_client.workflow.fields import Field
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


class ImageField(Field[Mapping[str, str] | LocalImage]):
    """An image on the server, as `{"image_name"}`. Accepts its name, or any object with an `image_name`.

    Also accepts a path, bytes or a Pillow image, which are uploaded when the workflow is submitted, each content once.
    A `str` with a path separator is a path, another one is a name; use `Path("tiger.png")` for a path without one.
    """

    def _check(self, value: Any) -> Mapping[str, str] | LocalImage:
        if isinstance(value, LocalImage):
            return value
        if isinstance(value, os.PathLike) or (isinstance(value, str) and ("/" in value or "\\" in value)):
            return self._file(Path(os.fspath(value)).absolute())
        if not isinstance(value, str) and hasattr(value, "save") and hasattr(value, "mode"):
            content = io.BytesIO()
            value.save(content, "PNG")
            return LocalImage(content.getvalue())
        if isinstance(value, bytes | bytearray | memoryview):
            if image_type(bytes(value[:16])) is None:
                self._refuse(value, "the content of an image file; these bytes are of no known kind")
            return LocalImage(bytes(value))
        if isinstance(value, str) or _part(value, "image_name") is not None:
            return _named(self, value, "image_name", "an image on the server, by its name")
        # What `run.images` and the repository give has the server's name as its `name`.
        return _named(
            self,
            _part(value, "name") or value,
            "image_name",
            "an image: its name on the server, or a path, bytes or a Pillow image to upload",
        )

    def _check_sendable(self, value: Any) -> None:
        # A path in a file is its author's: it is neither read nor uploaded.
        if not isinstance(value, LocalImage):
            _check_named(self, value, "image_name")

    def _file(self, path: Path) -> LocalImage:
        try:
            with path.open("rb") as file:
                kind = image_type(file.read(16))
        except (OSError, ValueError) as error:
            self._refuse(path, f"the path of an image file; {getattr(error, 'strerror', None) or error}")
        if kind is None:
            self._refuse(path, "the path of an image file; that one is of no known kind")
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
        # Whatever is empty means 'auto'.
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

    A `str` is the key, hash or name of an installed model, which is looked up when the workflow is submitted.
    """

    saved: SavedModel | None = None
    """The model that the file names, in whatever form."""

    @property
    def unbound(self) -> SavedModel | None:
        """The model that the file names in a form that InvokeAI does not read, until it is bound or another is set."""
        if self.is_changed or is_model(self._value):
            return None
        return self.saved or (saved_model(self._value) if isinstance(self._value, str) else None)

    @property
    def bases(self) -> tuple[str, ...]:
        """The base models it can be of; () for any."""
        return self.template.model_bases

    @property
    def types(self) -> tuple[str, ...]:
        """The model types it can be of; () for any."""
        return self.template.model_types

    def accepts(self, model: Mapping[str, Any]) -> bool:
        """Return whether a model's base and type are among those that the field takes."""
        return is_accepted(model, self.bases, self.types)

    def _check(self, value: Any) -> Mapping[str, Any] | ModelReference:
        if isinstance(value, str) and value:
            return ModelReference(value, self.bases, self.types)
        if isinstance(value, ModelReference):
            return value
        model = _model(value)
        if not all(isinstance(part, str) and part for part in model.values()):
            self._refuse(
                value,
                "a model: its name or key, one of client.dnn_model_repo.list_models(), or a mapping with "
                + ", ".join(MODEL_PARTS),
            )
        if not self.accepts(model):
            kinds = " or ".join(self.types) or "model"
            self._refuse(value, f"a {kinds} of base {' or '.join(self.bases) or 'any'}")
        submodel = _part(value, "submodel_type")
        return {**model, "submodel_type": submodel} if submodel is not None else model

    def fault(self) -> str | None:
        """Return why the value is not a model that could be sent; names a model of the file that is not bound."""
        if self.unbound is None:
            return super().fault()
        return (
            f"the file names the model {self.unbound} in a form that InvokeAI does not read; bind it with "
            "sync_dnn_model(), or set a model"
        )

    def _check_sendable(self, value: Any) -> None:
        if not is_model(value) and not isinstance(value, ModelReference):
            self._refuse(value, "a model: a mapping with " + ", ".join(MODEL_PARTS))


class LoRAField(Field[Mapping[str, Any]]):
    """A LoRA and its weight, as `{"lora", "weight"}`. Accepts a model alone, with the web UI's weight of 0.75.

    The model can be given as for a `ModelField`.
    """

    def _check(self, value: Any) -> Mapping[str, Any]:
        given, weight = _part(value, "lora"), _part(value, "weight")
        number = 0.75 if weight is None else weight
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            self._refuse(value, "a LoRA with a finite number as its weight")
        named = value if given is None else given
        if isinstance(named, str) and named:
            return {"lora": ModelReference(named, (), ("lora",)), "weight": number}
        if isinstance(named, ModelReference):
            return {"lora": named, "weight": number}
        model = _model(named)
        if not all(isinstance(part, str) and part for part in model.values()) or model["type"] != "lora":
            self._refuse(value, "a LoRA: a model of type 'lora', or {'lora': such a model, 'weight': a number}")
        return {"lora": model, "weight": number}

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


def _model(value: Any) -> dict[str, Any]:
    """Return the parts of a model's identity, from a mapping or a record."""
    return {name: _part(value, name) for name in MODEL_PARTS}


def _part(value: Any, name: str) -> Any:
    """Return a part of a mapping, or of a record; None if it has none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
