from __future__ import annotations

import dataclasses
import fractions
import io
import re
import types
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_factory import RawField, field_for
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace, bounds
from invokeai_py_client.workflow.references import BoardReference, LocalImage, ModelReference
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import FieldType, InputTemplate, NodeTemplates, unknown_input

DEMO = Path(__file__).parents[3] / "docs" / "demo.png"
PNG = DEMO.read_bytes()
BOX = {"x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4, "score": None}
MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}

LORA = {**MODEL, "type": "lora"}
SPLIT = {"type": "string_generator_parse_string", "input": "a,b", "splitOn": ","}


class Record:
    key, hash, name, base, type = "k", "h", "n", "sd-1", "main"


class Like:
    """A number such as numpy's float32: no float, but whole if its value is."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value

    def __int__(self) -> int:
        return int(self._value)

    def is_integer(self) -> bool:
        return self._value.is_integer()


class Scalar:
    """A scalar of another library, such as numpy's `bool_`, which also can be an index."""

    shape = ()

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        return self._value

    def __index__(self) -> int:
        return int(self._value)


class Index:
    def __index__(self) -> int:
        return 64


def field(templates: NodeTemplates, node: str, name: str, initial: Any = UNSET) -> Field[Any]:
    return field_for(FieldPlace("id", node, "", name), templates[node].inputs[name], initial)


@pytest.mark.parametrize(
    ("node", "name", "given", "sent"),
    [
        ("noise", "width", 64, 64),
        ("noise", "width", Index(), 64),
        ("noise", "width", 64.0, 64),
        ("noise", "width", Like(64.0), 64),
        ("noise", "width", Scalar(64.0), 64),
        ("img_blur", "radius", Scalar(2.5), 2.5),
        ("l2i", "tiled", Scalar(True), True),
        ("blank_image", "color", (1.0, 2, Index(), 4.0), {"r": 1, "g": 2, "b": 64, "a": 4}),
        ("noise", "seed", 2**32 - 1, 2**32 - 1),
        ("img_blur", "radius", 2, 2),
        ("img_blur", "radius", 2.5, 2.5),
        ("img_blur", "radius", fractions.Fraction(1, 2), 0.5),
        ("l2i", "tiled", True, True),
        ("compel", "prompt", "", ""),
        ("img_blur", "blur_type", "box", "box"),
        ("denoise_latents", "scheduler", "euler_a", "euler_a"),
        ("denoise_latents", "cfg_scale", 7, 7),
        ("denoise_latents", "cfg_scale", [1.5, 2], [1.5, 2]),
        ("img_blur", "image", "a.png", {"image_name": "a.png"}),
        ("img_blur", "image", {"image_name": "a.png", "width": 3}, {"image_name": "a.png"}),
        ("l2i", "board", "auto", "auto"),
        ("l2i", "board", "none", "none"),
        ("l2i", "board", "b-1", BoardReference("b-1")),
        ("l2i", "board", {"board_id": "b-1"}, {"board_id": "b-1"}),
        ("blank_image", "color", "#ff8000", {"r": 255, "g": 128, "b": 0, "a": 255}),
        ("blank_image", "color", "#ff800040", {"r": 255, "g": 128, "b": 0, "a": 64}),
        ("blank_image", "color", (1, 2, 3), {"r": 1, "g": 2, "b": 3, "a": 255}),
        ("blank_image", "color", {"r": 1, "g": 2, "b": 3, "a": 4}, {"r": 1, "g": 2, "b": 3, "a": 4}),
        ("blank_image", "color", {"r": 0, "g": 2, "b": 255}, {"r": 0, "g": 2, "b": 255, "a": 255}),
        ("main_model_loader", "model", MODEL, MODEL),
        ("main_model_loader", "model", "dreamshaper", ModelReference("dreamshaper", ("sd-1", "sd-2"), ("main",))),
        ("lora_collection_loader", "loras", "ink", {"lora": ModelReference("ink", (), ("lora",)), "weight": 0.75}),
        ("img_blur", "image", PNG, LocalImage(PNG)),
        ("img_blur", "image", Path(__file__).parents[3] / "docs" / "demo.png", LocalImage(DEMO)),
        ("img_blur", "image", str(DEMO), LocalImage(DEMO)),
        ("img_blur", "image", "name.png", {"image_name": "name.png"}),
        ("image_collection", "images", [PNG, "b"], [LocalImage(PNG), {"image_name": "b"}]),
        ("crop_image_to_bounding_box", "bounding_box", (1, 2, 3, 4), BOX),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": 0.5}, {**BOX, "score": 0.5}),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": 1}, {**BOX, "score": 1}),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": 0}, {**BOX, "score": 0}),
        ("crop_image_to_bounding_box", "bounding_box", (3, 2, 3, 2), {**BOX, "x_min": 3, "x_max": 3, "y_max": 2}),
        ("main_model_loader", "model", Record(), MODEL),
        ("main_model_loader", "model", {**MODEL, "submodel_type": "vae"}, {**MODEL, "submodel_type": "vae"}),
        ("image_collection", "collection", ["a", {"image_name": "b"}], [{"image_name": "a"}, {"image_name": "b"}]),
        ("lora_collection_loader", "loras", [LORA], [{"lora": LORA, "weight": 0.75}]),
        ("lora_collection_loader", "loras", {"lora": LORA, "weight": 1}, {"lora": LORA, "weight": 1}),
        ("string_generator", "generator", SPLIT, SPLIT),
    ],
)
def test_a_good_value_is_taken_as_it_will_be_sent(
    templates: NodeTemplates, node: str, name: str, given: Any, sent: Any
) -> None:
    one = field(templates, node, name)
    assert not one.is_set
    one.value = given
    assert one.value == sent
    assert type(one.value) is type(sent)
    assert one.is_set


@pytest.mark.parametrize(
    ("node", "name", "given", "wants"),
    [
        ("noise", "width", "64", "a whole number above 0, a multiple of 8"),
        ("noise", "width", 64.5, "a whole number"),
        ("noise", "width", float("inf"), "a whole number"),
        ("noise", "width", Like(64.5), "a whole number"),
        ("noise", "seed", Scalar(True), "a whole number"),
        ("img_blur", "radius", Scalar(True), "a finite number"),
        ("l2i", "tiled", Scalar(1), "True or False"),
        ("noise", "width", True, "a whole number"),
        ("noise", "width", 0, "above 0"),
        ("noise", "width", 65, "a multiple of 8"),
        ("noise", "seed", 2**32, "at most"),
        ("img_blur", "radius", "2", "a finite number at least 0"),
        ("img_blur", "radius", float("nan"), "a finite number"),
        ("img_blur", "radius", float("inf"), "a finite number"),
        ("img_blur", "radius", 10**400, "a finite number"),
        ("img_blur", "radius", -0.1, "at least 0"),
        ("l2i", "tiled", 1, "True or False"),
        ("compel", "prompt", 5, "text"),
        ("img_blur", "blur_type", "soft", "one of 'gaussian', 'box'"),
        ("denoise_latents", "scheduler", "eulr", "'euler'"),
        ("denoise_latents", "cfg_scale", ["a"], "a finite number"),
        ("denoise_latents", "cfg_scale", "7", "a finite number"),
        ("img_blur", "image", "", "an image"),
        ("img_blur", "image", 5, "an image"),
        ("l2i", "board", 5, "a board"),
        ("l2i", "board", "", "a board"),
        ("main_model_loader", "model", "", "a model"),
        ("img_blur", "image", b"text", "not have a known format"),
        ("img_blur", "image", Path("missing.png"), "No such file"),
        ("img_blur", "image", __file__, "not have a known format"),
        ("crop_image_to_bounding_box", "bounding_box", (3, 2, 1, 4), "with each minimum below"),
        ("crop_image_to_bounding_box", "bounding_box", (1.5, 2, 3, 4), "a box"),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": 2}, "a score of 0 to 1"),
        ("blank_image", "color", "red", "a color"),
        ("blank_image", "color", b"red", "a color"),
        ("blank_image", "color", (1, 2, 256), "a color"),
        ("blank_image", "color", {"r": 1}, "a color"),
        ("main_model_loader", "model", {"key": "k"}, "a model"),
        ("main_model_loader", "model", {**MODEL, "base": "flux"}, "a main of base sd-1 or sd-2"),
        ("main_model_loader", "model", None, "a model"),
        ("image_collection", "collection", "a", "list of ImageField"),
        ("lora_collection_loader", "loras", [MODEL], "a LoRA"),
        ("lora_collection_loader", "loras", [{"lora": LORA, "weight": "1"}], "a finite number as its weight"),
        ("string_generator", "generator", {"type": "x"}, "its type 'x' is not known"),
    ],
)
def test_a_bad_value_is_refused_and_the_old_one_stays(
    templates: NodeTemplates, node: str, name: str, given: Any, wants: str
) -> None:
    one = field(templates, node, name, initial="from the file")
    with pytest.raises(InputValueError) as caught:
        one.value = given
    assert wants in str(caught.value)
    assert f"{node}.{name}" in str(caught.value)
    assert ("cannot be None" in str(caught.value)) == (given is None)
    assert (caught.value.node_type, caught.value.field) == (node, name)
    assert one.value == "from the file"


def test_what_the_file_holds_is_kept_and_can_be_had_back(templates: NodeTemplates) -> None:
    one = field(templates, "noise", "width", initial="odd")
    assert (one.value, one.is_changed) == ("odd", False)
    one.value = 64
    assert one.is_changed
    one.reset()
    assert (one.value, one.is_changed) == ("odd", False)


def test_none_is_the_files_value_where_the_node_has_a_default(templates: NodeTemplates) -> None:
    one = field(templates, "denoise_latents", "steps", initial=30)
    one.value = 50
    one.value = None
    assert (one.value, one.is_changed) == (30, False)


def test_none_empties_what_may_be_null(templates: NodeTemplates) -> None:
    one = field(templates, "l2i", "board", initial={"board_id": "b"})
    one.value = None
    assert one.value is None
    assert one.raw is UNSET
    assert not one.is_set


def test_none_is_refused_where_the_node_needs_a_value(templates: NodeTemplates) -> None:
    one = field(templates, "img_blur", "image", initial={"image_name": "a"})
    with pytest.raises(InputValueError):
        one.value = None
    assert one.value == {"image_name": "a"}


@pytest.mark.parametrize(
    ("node", "name", "held", "why"),
    [
        ("noise", "seed", 4545345345, "at most 4294967295"),
        ("noise", "seed", "7", "a whole number"),
        ("noise", "width", 0, "above 0"),
        ("noise", "width", 65, "a multiple of 8"),
        ("noise", "width", 64.5, "a whole number"),
        ("img_blur", "radius", -5, "at least 0"),
        ("img_blur", "radius", "wide", "a finite number"),
        ("img_blur", "blur_type", "soft", "one of 'gaussian', 'box'"),
        ("denoise_latents", "scheduler", "eulr", "one of"),
        ("denoise_latents", "cfg_scale", [1, "x"], "a finite number"),
        ("compel", "prompt", ["a"], "text"),
        ("l2i", "tiled", "x", "True or False"),
        ("l2i", "board", "My board", "'board_id'"),
        ("img_blur", "image", "/etc/passwd", "'image_name'"),
        ("blank_image", "color", "#ffffff", "a color"),
        ("blank_image", "color", [*"rgba"], "a color"),
        ("main_model_loader", "model", {"type": "float_generator_arithmetic_sequence"}, "a model"),
        ("main_model_loader", "model", {**MODEL, "hash": 5}, "a model"),
        ("integer_collection", "collection", 5, "list of IntegerField"),
        ("integer_collection", "collection", [1, "2"], "a whole number"),
        ("lora_collection_loader", "loras", [{"weight": 1}], "a LoRA"),
    ],
)
def test_a_file_may_hold_what_the_server_would_not_accept(
    templates: NodeTemplates, node: str, name: str, held: Any, why: str
) -> None:
    told = field(templates, node, name, held).fault()
    assert told is not None
    assert why in told


@pytest.mark.parametrize(
    ("node", "name", "held"),
    [
        ("noise", "seed", 7.0),
        ("noise", "seed", True),
        ("noise", "seed", UNSET),
        ("img_blur", "radius", True),
        ("compel", "prompt", 5),
        ("compel", "prompt", ""),
        ("l2i", "tiled", 1),
        ("l2i", "board", "auto"),
        ("l2i", "board", ""),
        ("l2i", "board", {"board_id": "b", "more": 1}),
        ("img_blur", "image", {"image_name": "a", "width": 3}),
        ("blank_image", "color", {"r": 1.0, "g": 2, "b": 3, "a": 4}),
        ("main_model_loader", "model", {**MODEL, "base": "flux", "submodel_type": None}),
        ("denoise_latents", "cfg_scale", [1.5, 2]),
        ("denoise_latents", "cfg_scale", 1.5),
        ("lora_collection_loader", "loras", []),
        ("string_generator", "generator", {"type": "unknown"}),
    ],
)
def test_what_the_server_converts_is_not_a_fault(templates: NodeTemplates, node: str, name: str, held: Any) -> None:
    assert field(templates, node, name, held).fault() is None


def test_what_was_assigned_has_no_fault(templates: NodeTemplates) -> None:
    for node, name, value in (
        ("img_blur", "image", PNG),
        ("l2i", "board", "My board"),
        ("main_model_loader", "model", "dreamshaper"),
        ("lora_collection_loader", "loras", ["ink"]),
    ):
        one = field(templates, node, name, "from the file")
        one.value = value
        assert one.fault() is None


def test_a_list_is_as_long_as_its_template_allows(templates: NodeTemplates) -> None:
    template = dataclasses.replace(templates["integer_collection"].inputs["collection"], min_items=2, max_items=3)
    for count, is_good in ((1, False), (2, True), (3, True), (4, False)):
        one = field_for(FieldPlace("id", "n", "", "x"), template, [1] * count)
        assert (one.fault() is None) is is_good


def test_messages_name_the_label_that_the_web_ui_shows(templates: NodeTemplates) -> None:
    one = field_for(FieldPlace("id", "noise", "Start", "width", "Width"), templates["noise"].inputs["width"], 64)
    with pytest.raises(InputValueError, match=r"'Width' \(noise\.width of node id 'Start'\) cannot be 65"):
        one.value = 65


def test_a_misspelt_choice_is_told_with_the_nearest_one(templates: NodeTemplates) -> None:
    one = field(templates, "denoise_latents", "scheduler")
    with pytest.raises(InputValueError) as caught:
        one.value = "Eulr"
    assert caught.value.hint == "Did you mean 'euler'?"
    with pytest.raises(InputValueError) as caught:
        one.value = 7
    assert caught.value.hint == ""


def test_a_path_is_told_as_a_person_writes_it(templates: NodeTemplates, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    (path := folder / "notes.txt").write_text("not an image")
    with pytest.raises(InputValueError, match=rf"cannot be '{re.escape(str(path))}'"):
        field(templates, "img_blur", "image").value = path


def test_the_label_that_the_web_ui_shows_stands_for_its_option(templates: NodeTemplates) -> None:
    labelled = next(
        (node, name, known)
        for node in templates
        for name, known in templates[node].inputs.items()
        if known.type.name == "EnumField" and known.option_labels
    )
    node, name, known = labelled
    option, label = next(pair for pair in known.option_labels.items() if pair[0] in known.options)
    one = field(templates, node, name)
    one.value = label
    assert one.value == option


def test_what_is_unknown_stays_editable_as_json() -> None:
    one = field_for(FieldPlace("id", "custom", "", "thing"), unknown_input("thing"))
    assert isinstance(one, RawField)
    one.value = {"any": ["thing"]}
    assert one.value == {"any": ["thing"]}
    assert one.type_name == "unknown"


def test_a_model_field_tells_what_it_accepts(templates: NodeTemplates) -> None:
    one = field(templates, "main_model_loader", "model")
    assert isinstance(one, ModelField)
    assert (one.bases, one.types) == (("sd-1", "sd-2"), ("main",))
    assert one.accepts(MODEL)
    assert not one.accepts({**MODEL, "type": "vae"})


class Word(str):
    def __str__(self) -> str:
        return "another text"


def test_a_text_of_a_class_of_its_own_is_sent_as_plain_text(templates: NodeTemplates) -> None:
    text, choice = field(templates, "string", "value"), field(templates, "img_blur", "blur_type")
    text.value, choice.value = Word("a cub"), Word("box")
    assert (type(text.value), type(choice.value)) == (str, str)
    assert f"{text.value}, {choice.value}" == "a cub, box"


def test_a_number_that_python_does_not_write_is_refused_as_others_are(templates: NodeTemplates) -> None:
    with pytest.raises(InputValueError, match="cannot be int with too many digits to show: it takes a whole"):
        field(templates, "noise", "width").value = 10**5000


def test_a_value_is_checked_without_setting_it(templates: NodeTemplates) -> None:
    one = field(templates, "noise", "width")
    assert (one.checked(64.0), one.is_set) == (64, False)


class Refuses:
    def __index__(self) -> int:
        raise TypeError("only arrays of one element")


@pytest.mark.parametrize("value", [Refuses(), [Refuses()]])
def test_what_only_looks_like_a_number_is_refused(templates: NodeTemplates, value: Any) -> None:
    with pytest.raises(InputValueError):
        field(templates, "noise", "width").value = value


@pytest.mark.parametrize(
    ("number", "step", "is_multiple"),
    [
        (10.5, 1.0, False),
        (1e9 + 0.5, 1.0, False),
        (-1e10 - 0.25, 1.0, False),
        (1 + 1e-8, 1.0, False),
        (1e9, 1.0, True),
        (0.3, 0.1, True),
        (-0.7, 0.1, True),
        (1016757070.4, 0.05, True),
        (123456789.1, 0.1, True),
    ],
)
def test_a_number_is_a_multiple_whatever_its_size(
    templates: NodeTemplates, number: float, step: float, is_multiple: bool
) -> None:
    template = dataclasses.replace(templates["img_blur"].inputs["radius"], minimum=None, multiple_of=step)
    held = field_for(FieldPlace("id", "img_blur", "", "radius"), template, number)
    assert (held.fault() is None) is is_multiple


@pytest.mark.parametrize(("node", "name", "number"), [("img_blur", "radius", 1e308), ("noise", "seed", 10**400)])
def test_numbers_beyond_every_multiple_are_refused(
    templates: NodeTemplates, node: str, name: str, number: float
) -> None:
    template = dataclasses.replace(templates[node].inputs[name], maximum=None, multiple_of=0.001)
    one = field_for(FieldPlace("id", node, "", name), template)
    with pytest.raises(InputValueError, match=r"a multiple of 0\.001"):
        one.value = number


def test_bounds_are_shown_to_the_last_digit(templates: NodeTemplates) -> None:
    with pytest.raises(InputValueError, match="at most 4294967295"):
        field(templates, "noise", "seed").value = 2**32


def test_raw_json_is_json_and_a_copy() -> None:
    one = field_for(FieldPlace("id", "custom", "", "x"), unknown_input("x"))
    for odd in (float("nan"), object(), {1}):
        with pytest.raises(InputValueError, match="a JSON value"):
            one.value = odd
    given = {"a": [1]}
    one.value = given
    given["a"].append(2)
    assert one.value == {"a": [1]}


def test_what_the_file_holds_is_not_changed_through_a_field(templates: NodeTemplates) -> None:
    initial = [1, 2]
    one = field(templates, "integer_collection", "collection", initial)
    assert not one.is_changed
    assert one.value is not None
    one.value.append(3)
    assert initial == [1, 2]
    assert one.is_changed
    one.reset()
    assert one.value == [1, 2]
    assert not one.is_changed


def test_models_of_older_servers_are_known_by_their_type_name(templates: NodeTemplates) -> None:
    schema = {"title": "Model", "ui_type": "SDXLMainModelField", "$ref": "#/components/schemas/ModelIdentifierField"}
    schemas = {
        "Old": {
            "class": "invocation",
            "title": "Old",
            "output": {"$ref": "#/x/Out"},
            "properties": {
                "type": {"default": "old"},
                "model": {**schema, "field_kind": "input", "input": "direct", "orig_required": True},
            },
        },
        "Out": {"properties": {"type": {"default": "out"}}},
    }
    template = NodeTemplates.from_openapi({"components": {"schemas": schemas}})["old"].inputs["model"]
    assert (template.input, template.model_bases, template.model_types) == ("direct", ("sdxl",), ("main",))
    one = field_for(FieldPlace("id", "old", "", "model"), template)
    assert isinstance(one, ModelField)
    one.value = {**MODEL, "base": "sdxl"}
    with pytest.raises(InputValueError, match="a main of base sdxl"):
        one.value = MODEL


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK", "F", "YCbCr", "HSV", "LAB", "I", "I;16B"])
def test_a_pillow_image_of_any_mode_becomes_a_png(templates: NodeTemplates, mode: str) -> None:
    one = field(templates, "img_blur", "image")
    one.value = PIL.Image.new(mode, (3, 2))
    assert isinstance(one.value, LocalImage)
    assert isinstance(one.value.source, bytes)
    assert PIL.Image.open(io.BytesIO(one.value.source)).size == (3, 2)


def test_a_pillow_image_that_cannot_be_written_is_refused(templates: NodeTemplates) -> None:
    one = field(templates, "img_blur", "image", initial={"image_name": "a"})
    with pytest.raises(InputValueError, match="that Pillow can write as PNG"):
        one.value = PIL.Image.new("RGB", (0, 0))
    assert one.value == {"image_name": "a"}


def test_an_open_binary_file_is_read(templates: NodeTemplates) -> None:
    one = field(templates, "img_blur", "image")
    with DEMO.open("rb") as file:
        one.value = file
    assert one.value == LocalImage(PNG)
    one.value = io.BytesIO(PNG)
    assert one.value == LocalImage(PNG)


def test_an_open_file_that_is_not_an_image_is_refused(templates: NodeTemplates) -> None:
    one = field(templates, "img_blur", "image", initial={"image_name": "a"})
    with DEMO.open("rb") as closed:
        pass
    for file, why in (
        (closed, "cannot be read"),
        (io.StringIO("text"), "mode 'rb'"),
        (io.BytesIO(b"text"), "not have a known format"),
    ):
        with pytest.raises(InputValueError, match=why):
            one.value = file
    assert one.value == {"image_name": "a"}


def test_what_only_has_a_name_is_not_an_image(templates: NodeTemplates) -> None:
    one = field(templates, "img_blur", "image")
    for other in (Record(), {"name": "a.png"}):
        with pytest.raises(InputValueError, match="it takes an image: its name on the server"):
            one.value = other
    one.value = types.SimpleNamespace(image_name="a.png", name="b.png")
    assert one.value == {"image_name": "a.png"}


@pytest.mark.parametrize("values", [["x"], [{}], [None], [True], "1, 2", [float("inf")]])
def test_a_generators_stored_values_are_of_its_kind(templates: NodeTemplates, values: Any) -> None:
    one = field(templates, "float_generator", "generator")
    with pytest.raises(InputValueError, match="a generator as the web UI writes it"):
        one.value = {"type": "float_generator_arithmetic_sequence", "values": values}


def test_a_generator_holds_nothing_but_what_the_web_ui_reads(templates: NodeTemplates) -> None:
    one = field(templates, "float_generator", "generator")
    one.value = {"type": "float_generator_arithmetic_sequence", "count": 2, "values": [1, 2.5], "more": object()}
    assert one.value == {
        "type": "float_generator_arithmetic_sequence",
        "start": 0,
        "step": 0.1,
        "count": 2,
        "values": [1, 2.5],
    }


@pytest.mark.parametrize("wrong", ["nonsense", object(), 5, ""])
def test_a_model_has_a_submodel_type_base_and_type_that_the_server_knows(templates: NodeTemplates, wrong: Any) -> None:
    model = InputTemplate(
        name="model",
        title="Model",
        description="",
        type=FieldType("ModelIdentifierField"),
        required=True,
        default=None,
        input="any",
    )
    for part in ("base", "type", "submodel_type"):
        one = field_for(FieldPlace("n", "t", "", "model"), model, terms=templates.model_terms)
        with pytest.raises(InputValueError, match=f"a model whose {part} is one of|or a mapping with key"):
            one.value = {**MODEL, part: wrong}
    unlisted = field_for(FieldPlace("n", "t", "", "model"), model)
    with pytest.raises(InputValueError, match="a model whose submodel_type is a string"):
        unlisted.value = {**MODEL, "submodel_type": object()}


def test_the_fields_of_a_workflow_know_the_servers_models(templates: NodeTemplates) -> None:
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [
            {"id": kind, "type": "invocation", "data": {"type": kind, "inputs": {}}}
            for kind in ("main_model_loader", "flux2_dev_lora_collection_loader")
        ],
        "edges": [],
    }
    fields = WorkflowFields(WorkflowDefinition.from_dict(document), templates)
    model, loras = fields.get("main_model_loader", "model"), fields.get("flux2_dev_lora_collection_loader", "loras")
    assert model is not None
    assert loras is not None
    with pytest.raises(InputValueError, match="whose submodel_type is one of '"):
        model.value = {**MODEL, "submodel_type": "nonsense"}
    with pytest.raises(InputValueError, match="whose base is one of"):
        loras.value = [{**LORA, "base": "nonsense"}]


@pytest.mark.parametrize("weight", [10**400, float("nan"), "1", True])
def test_the_weight_of_a_lora_is_a_finite_number(templates: NodeTemplates, weight: Any) -> None:
    with pytest.raises(InputValueError, match="a finite number as its weight"):
        field(templates, "lora_collection_loader", "loras").value = {"lora": LORA, "weight": weight}


def test_a_text_with_half_a_pair_of_surrogates_cannot_be_sent(templates: NodeTemplates) -> None:
    with pytest.raises(InputValueError, match="an unpaired surrogate"):
        field(templates, "compel", "prompt").value = "a tiger \ud83d"
    assert "an unpaired surrogate" in str(field(templates, "compel", "prompt", initial="a tiger \ud83d").fault())
    field(templates, "compel", "prompt").value = "a tiger \U0001f42f"


def refused(templates: NodeTemplates, node: str, name: str, value: Any) -> InputValueError:
    with pytest.raises(InputValueError) as caught:
        field(templates, node, name).value = value
    return caught.value


@pytest.mark.parametrize(
    ("node", "name", "value"),
    [
        ("noise", "width", "64"),
        ("noise", "width", 65),
        ("img_blur", "radius", "2"),
        ("img_blur", "radius", float("inf")),
        ("l2i", "tiled", 1),
        ("compel", "prompt", 5),
        ("img_blur", "blur_type", "soft"),
        ("img_blur", "blur_type", 5),
        ("blank_image", "color", "red"),
        ("blank_image", "color", (1, 2, 256)),
        ("blank_image", "color", (1, 2, -1)),
        ("blank_image", "color", (1, 2, "3")),
        ("blank_image", "color", (1, 2)),
        ("blank_image", "color", (1, 2, 3, 4, 5)),
        ("blank_image", "color", "#ff800"),
        ("blank_image", "color", {"r": 1, "g": 2, "b": 3, "x": 4}),
        ("crop_image_to_bounding_box", "bounding_box", (1, 2, 3)),
        ("crop_image_to_bounding_box", "bounding_box", (1, 4, 3, 2)),
        ("crop_image_to_bounding_box", "bounding_box", {"x_min": 1}),
        ("crop_image_to_bounding_box", "bounding_box", {**BOX, "more": 1}),
        *(("crop_image_to_bounding_box", "bounding_box", {**BOX, "score": odd}) for odd in (True, "1", -0.1, 1.1)),
        ("crop_image_to_bounding_box", "bounding_box", b"abcd"),
    ],
)
def test_a_refusal_has_the_value_and_the_place(templates: NodeTemplates, node: str, name: str, value: Any) -> None:
    error = refused(templates, node, name, value)
    assert error.expected
    assert error.node_id == "id"
    # The bounds of a number are those of the number that was read.
    assert error.value == value
    assert error.field == name


@pytest.mark.parametrize("score", [0, 0.5, 1])
def test_a_box_has_a_score_of_0_to_1(templates: NodeTemplates, score: float) -> None:
    one = field(templates, "crop_image_to_bounding_box", "bounding_box")
    one.value = {**BOX, "score": score}
    assert one.raw == {**BOX, "score": score}


def test_a_box_may_be_empty(templates: NodeTemplates) -> None:
    one = field(templates, "crop_image_to_bounding_box", "bounding_box")
    one.value = (3, 4, 3, 4)
    assert one.raw == {"x_min": 3, "x_max": 3, "y_min": 4, "y_max": 4, "score": None}


@pytest.mark.parametrize(("length", "is_whole"), [(78, True), (79, False)])
def test_a_message_shows_80_characters_of_a_value(templates: NodeTemplates, length: int, is_whole: bool) -> None:
    told = str(refused(templates, "noise", "width", "x" * length))
    shown = repr("x" * length)
    assert (shown in told) is is_whole
    assert (shown[:77] + "..." in told) is not is_whole


LIMITS = {
    "minimum": 8,
    "exclusive_minimum": 8,
    "maximum": 8,
    "exclusive_maximum": 8,
    "multiple_of": 4,
}


@pytest.mark.parametrize(
    ("limit", "fits", "does_not"),
    [
        ("minimum", 8, 7),
        ("exclusive_minimum", 9, 8),
        ("maximum", 8, 9),
        ("exclusive_maximum", 7, 8),
        ("multiple_of", 12, 10),
    ],
)
def test_each_bound_is_kept(templates: NodeTemplates, limit: str, fits: int, does_not: int) -> None:
    unlimited = dict.fromkeys(LIMITS, None)
    for node, name, kind in (("noise", "seed", int), ("img_blur", "radius", float)):
        limits: dict[str, Any] = {**unlimited, limit: LIMITS[limit]}
        template = dataclasses.replace(templates[node].inputs[name], **limits)
        one = field_for(FieldPlace("id", node, "", name), template)
        one.value = kind(fits)
        with pytest.raises(InputValueError, match=bounds(template)):
            one.value = kind(does_not)
        assert one.raw == fits


@pytest.mark.parametrize(
    ("low", "high", "fits", "does_not", "wants"),
    [
        (None, 3, "abc", "abcd", "0 to 3"),
        (2, None, "ab", "a", "2 to any number of"),
        (0, None, "", None, ""),
    ],
)
def test_a_text_is_as_long_as_its_template_allows(
    templates: NodeTemplates, low: int | None, high: int | None, fits: str, does_not: str | None, wants: str
) -> None:
    template = dataclasses.replace(templates["compel"].inputs["prompt"], min_length=low, max_length=high)
    one = field_for(FieldPlace("id", "compel", "", "prompt"), template)
    one.value = fits
    if does_not is not None:
        with pytest.raises(InputValueError, match=wants):
            one.value = does_not
    assert one.raw == fits


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (FieldPlace("5f", "noise", "", "width"), "noise.width of node 5f"),
        (FieldPlace("5f", "noise", "Start", "width"), "noise.width of node 5f 'Start'"),
        (FieldPlace("5f", "noise", "", "width", "Width"), "'Width' (noise.width of node 5f)"),
        (FieldPlace("5f", "noise", "Start", ""), "noise, node 5f 'Start'"),
    ],
)
def test_a_place_is_said_in_words(place: FieldPlace, said: str) -> None:
    assert str(place) == said


def test_a_field_shows_its_place_and_value(templates: NodeTemplates) -> None:
    assert repr(field(templates, "noise", "width", 64)) == "<IntegerField noise.width of node id = 64>"
    assert repr(field(templates, "noise", "width")) == "<IntegerField noise.width of node id = UNSET>"


def test_a_restored_field_has_the_value_that_it_had(templates: NodeTemplates) -> None:
    one = field(templates, "noise", "width", "odd")
    state = one.snapshot()
    one.value = 64
    one.restore(state)
    assert (one.raw, one.is_changed) == ("odd", False)


def test_a_scheduler_of_a_node_that_lists_none_is_any_text() -> None:
    custom = dataclasses.replace(unknown_input("scheduler"), type=FieldType("SchedulerField"))
    scheduler = field_for(FieldPlace("n", "custom", "", "scheduler"), custom)
    scheduler.value = "ddim"
    assert (scheduler.value, scheduler.fault()) == ("ddim", None)
    with pytest.raises(InputValueError, match="takes text"):
        scheduler.value = 5
