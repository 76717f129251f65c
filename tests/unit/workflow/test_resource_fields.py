"""Fields for images, videos, boards, models and presets: what they take, what they hold, what they find wrong."""

from __future__ import annotations

import dataclasses
import io
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.references import BoardReference, LocalImage, ModelReference, SavedModel
from invokeai_py_client.workflow.resource_fields import (
    BoardField,
    ImageField,
    LoRAField,
    ModelField,
    StylePresetField,
    SystemPromptField,
    VideoField,
)
from invokeai_py_client.workflow.templates import InputTemplate, unknown_input

PLACE = FieldPlace("id", "mine", "", "value")
REQUIRED = dataclasses.replace(unknown_input("value"), required=True)
MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}
LORA = {**MODEL, "type": "lora"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)

NAMED = [
    (ImageField, "image_name"),
    (VideoField, "video_name"),
    (BoardField, "board_id"),
    (StylePresetField, "style_preset_id"),
    (SystemPromptField, "system_prompt_id"),
]


def field(cls: type[Field[Any]], initial: Any = UNSET, template: InputTemplate = REQUIRED) -> Any:
    return cls(PLACE, template, initial)


def taken(cls: type[Field[Any]], value: Any) -> Any:
    one = field(cls)
    one.value = value
    assert one.fault() is None
    return one.raw


def refusal(cls: type[Field[Any]], value: Any, template: InputTemplate = REQUIRED) -> str:
    """What the field says that it takes when it refuses a value."""
    one = field(cls, "from the file", template)
    with pytest.raises(InputValueError) as caught:
        one.value = value
    assert one.raw == "from the file"
    assert caught.value.node_id == "id"
    return str(caught.value.expected)


@pytest.mark.parametrize(("cls", "key"), NAMED)
def test_a_name_and_what_has_it_are_taken(cls: type[Field[Any]], key: str) -> None:
    assert taken(cls, {key: "a", "more": 1}) == {key: "a"}
    assert taken(cls, SimpleNamespace(**{key: "a"})) == {key: "a"}
    if cls is not BoardField:
        assert taken(cls, "a") == {key: "a"}


@pytest.mark.parametrize(("cls", "key"), NAMED)
def test_what_has_no_name_is_refused(cls: type[Field[Any]], key: str) -> None:
    value: Any
    for value in ("", 5, None, [], {}, {key: ""}, {key: 5}, {"other": "a"}, SimpleNamespace(**{key: None})):
        assert refusal(cls, value)


@pytest.mark.parametrize(("cls", "key"), NAMED)
def test_a_file_must_hold_the_name_as_the_server_wants_it(cls: type[Field[Any]], key: str) -> None:
    assert field(cls, {key: "a", "more": 1}).fault() is None
    held: Any
    for held in ("a", 5, ["a"], {"a": 1}, {key: ""}, {key: 5}, {"other": "a"}):
        assert key in field(cls, held).fault()


@pytest.mark.parametrize("value", ["auto", "none", BoardReference("b")])
def test_a_board_may_be_auto_none_or_a_reference(value: Any) -> None:
    assert taken(BoardField, value) == value


def test_another_text_is_a_board_by_its_id_or_name() -> None:
    assert taken(BoardField, "Tigers") == BoardReference("Tigers")


def test_what_a_file_holds_for_a_board_may_be_empty() -> None:
    # The server takes it for 'auto'.
    held: Any
    for held in ("", [], {}, 0):
        assert field(BoardField, held).fault() is None
    assert "'auto', 'none' or" in field(BoardField, "Tigers").fault()


def test_an_image_of_this_computer_is_held_until_it_is_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    for given in (path, str(path), Path("a.png"), "./a.png"):
        assert taken(ImageField, given) == LocalImage(path.absolute())
    for content in (PNG, bytearray(PNG), memoryview(PNG)):
        assert taken(ImageField, content) == LocalImage(PNG)
    assert taken(ImageField, LocalImage(PNG)) == LocalImage(PNG)
    # Only a separator or a `Path` makes a path of a text.
    assert taken(ImageField, "a.png") == {"image_name": "a.png"}


def test_a_pillow_image_is_held_as_a_png() -> None:
    held = taken(ImageField, PIL.Image.new("RGB", (3, 2), (255, 0, 0)))
    assert isinstance(held, LocalImage)
    assert isinstance(held.source, bytes)
    with PIL.Image.open(io.BytesIO(held.source)) as image:
        assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (3, 2), (255, 0, 0))


def test_an_image_that_a_run_or_the_repository_gave_is_taken_by_its_name() -> None:
    assert taken(ImageField, SimpleNamespace(name="other", image_name="a.png")) == {"image_name": "a.png"}


def test_a_file_that_is_not_an_image_is_refused_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    text = tmp_path / "a.png"
    text.write_text("text")
    assert "not have a known format" in refusal(ImageField, text)
    assert "No such file" in refusal(ImageField, tmp_path / "gone.png")
    assert "null" in refusal(ImageField, "a/\0b")
    assert "not have a known format" in refusal(ImageField, b"text")
    # Only the first bytes are looked at, whatever the size.
    text.write_bytes(PNG + bytes(1000))
    assert taken(ImageField, text) == LocalImage(text)


def test_a_path_in_a_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert "image_name" in field(ImageField, str(path)).fault()


SD1_MAIN = dataclasses.replace(REQUIRED, model_bases=("sd-1", "sd-2"), model_types=("main",))


def model(initial: Any = UNSET, template: InputTemplate = SD1_MAIN) -> ModelField:
    return ModelField(PLACE, template, initial)


def test_a_model_is_taken_by_its_identity() -> None:
    one = model()
    for given in (MODEL, {**MODEL, "format": "diffusers"}, SimpleNamespace(**MODEL, path="p")):
        one.value = given
        assert one.raw == MODEL
    one.value = {**MODEL, "submodel_type": "vae"}
    assert one.raw == {**MODEL, "submodel_type": "vae"}
    one.value = ModelReference("n")
    assert one.raw == ModelReference("n")
    assert (one.bases, one.types) == (("sd-1", "sd-2"), ("main",))


def test_a_text_is_a_model_that_the_input_could_take() -> None:
    one = model()
    one.value = "dream"
    assert one.raw == ModelReference("dream", ("sd-1", "sd-2"), ("main",))
    assert one.fault() is None


@pytest.mark.parametrize("part", MODEL)
@pytest.mark.parametrize("held", [None, "", 5])
def test_a_model_that_lacks_a_part_of_its_identity_is_refused(part: str, held: Any) -> None:
    assert refusal(ModelField, {**MODEL, part: held}, SD1_MAIN).startswith("a model: ")
    assert "a model: a mapping with" in str(model({**MODEL, part: held}).fault())


@pytest.mark.parametrize(
    ("change", "bases", "types", "wants"),
    [
        ({"base": "flux"}, ("sd-1", "sd-2"), ("main",), "a main of base sd-1 or sd-2"),
        ({"type": "vae"}, (), ("main", "onnx"), "a main or onnx of base any"),
        ({"base": "flux"}, ("sd-1",), (), "a model of base sd-1"),
    ],
)
def test_a_model_of_another_base_or_type_is_refused(change: Any, bases: Any, types: Any, wants: str) -> None:
    template = dataclasses.replace(REQUIRED, model_bases=bases, model_types=types)
    assert refusal(ModelField, {**MODEL, **change}, template) == wants
    assert not model(template=template).accepts({**MODEL, **change})
    # The server would load it, so a file may hold it.
    assert model({**MODEL, **change}, template).fault() is None


def test_a_model_that_the_file_names_in_an_old_form_is_unbound_until_it_is_set() -> None:
    old = SavedModel("dream", "sd-1", "main")
    one = model()
    one.saved = old
    assert one.unbound == old
    assert "'dream' (sd-1 main)" in str(one.fault())
    one.value = MODEL
    assert one.unbound is None
    assert one.fault() is None
    one.reset()
    assert one.unbound == old


def test_a_text_in_a_file_names_a_model_too_but_is_not_bound() -> None:
    assert model("dream").unbound == SavedModel("dream")
    assert "'dream'" in str(model("dream").fault())
    assert model({"key": "k"}).unbound is None
    assert model(MODEL).unbound is None
    bound = model(MODEL)
    bound.saved = SavedModel("n")
    assert bound.unbound is None


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("ink", {"lora": ModelReference("ink", (), ("lora",)), "weight": 0.75}),
        (LORA, {"lora": LORA, "weight": 0.75}),
        (SimpleNamespace(**LORA), {"lora": LORA, "weight": 0.75}),
        (ModelReference("ink"), {"lora": ModelReference("ink"), "weight": 0.75}),
        ({"lora": LORA, "weight": 1}, {"lora": LORA, "weight": 1}),
        ({"lora": "ink", "weight": -0.5}, {"lora": ModelReference("ink", (), ("lora",)), "weight": -0.5}),
        ({"lora": LORA, "weight": 0}, {"lora": LORA, "weight": 0}),
        ({"lora": LORA, "weight": Decimal("0.5")}, {"lora": LORA, "weight": 0.5}),
        ({"lora": LORA, "weight": SimpleNamespace(shape=(), item=lambda: 0.25)}, {"lora": LORA, "weight": 0.25}),
        ({"lora": {**LORA, "format": "lycoris"}}, {"lora": LORA, "weight": 0.75}),
        ({"lora": ModelReference("ink"), "weight": 2}, {"lora": ModelReference("ink"), "weight": 2}),
    ],
)
def test_a_lora_is_taken_with_its_weight(given: Any, held: Any) -> None:
    assert taken(LoRAField, given) == held


@pytest.mark.parametrize(
    ("given", "wants"),
    [
        (None, "a LoRA: "),
        ("", "a LoRA: "),
        (MODEL, "a LoRA: "),
        ({"lora": MODEL}, "a LoRA: "),
        ({"lora": ""}, "a LoRA: "),
        ({"lora": {**LORA, "key": ""}}, "a LoRA: "),
        ({"lora": {**LORA, "hash": None}}, "a LoRA: "),
        ({"lora": LORA, "weight": True}, "a finite number as its weight"),
        ({"lora": LORA, "weight": "1"}, "a finite number as its weight"),
        ({"lora": LORA, "weight": float("nan")}, "a finite number as its weight"),
        ({"lora": LORA, "weight": float("inf")}, "a finite number as its weight"),
    ],
)
def test_what_is_not_a_lora_is_refused(given: Any, wants: str) -> None:
    assert wants in refusal(LoRAField, given)


def test_a_lora_of_a_file_must_have_a_whole_identity() -> None:
    assert field(LoRAField, {"lora": LORA, "weight": 1}).fault() is None
    assert field(LoRAField, {"lora": {**LORA, "base": "flux"}}).fault() is None
    for held in ("ink", LORA, {"weight": 1}, {"lora": "ink"}, {"lora": {**LORA, "key": ""}}):
        assert "a LoRA" in field(LoRAField, held).fault()
