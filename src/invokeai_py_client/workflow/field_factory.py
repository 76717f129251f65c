"""Creates the field for an input by its type; defines the fields for lists, generators and raw JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from invokeai_py_client.workflow.fields import (
    UNSET,
    BooleanField,
    BoundingBoxField,
    ColorField,
    EnumField,
    Field,
    FieldPlace,
    FloatField,
    InputEdges,
    IntegerField,
    SchedulerField,
    StringField,
)
from invokeai_py_client.workflow.generators import generate
from invokeai_py_client.workflow.json_values import as_json
from invokeai_py_client.workflow.resource_fields import (
    BoardField,
    ImageField,
    LoRAField,
    ModelField,
    StylePresetField,
    SystemPromptField,
    VideoField,
)
from invokeai_py_client.workflow.saved_values import generator
from invokeai_py_client.workflow.templates import (
    ANY_MODEL,
    Cardinality,
    FieldType,
    InputTemplate,
    ModelTerms,
    is_model_type,
)

T = TypeVar("T")


class GeneratorField(Field[Mapping[str, Any]]):
    """The settings of a generator node: a mapping with a `type`, as the web UI writes it."""

    def _check(self, value: Any) -> Mapping[str, Any]:
        try:
            generate(value, self.template.type.name.removesuffix("GeneratorField").lower())
        except ValueError as error:
            self._refuse(value, f"a generator as the web UI writes it ({error})")
        read = generator(value)
        if read is UNSET:
            self._refuse(value, "a generator as the web UI writes it")
        return cast("Mapping[str, Any]", read)

    def _check_sendable(self, value: Any) -> None:
        """Do nothing: a generator is not sent, and is checked when a batch takes its items from it."""


class ListField(Field[Any], Generic[T]):
    """A list of values of another field, such as a list of numbers or of images.

    Args:
        item: a field of the element type.
        allows_single: whether a single element is allowed instead of a list, as in `cfg_scale`.
    """

    def __init__(
        self, item: Field[T], *, allows_single: bool, initial: Any = UNSET, edges: InputEdges | None = None
    ) -> None:
        super().__init__(item.place, item.template, initial, edges=edges)
        self._item = item
        self._allows_single = allows_single

    def _check(self, value: Any) -> list[T] | T:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            if self._allows_single:
                # Not wrapped in a list, as the server accepts both.
                return self._item._check(value)
            self._refuse(value, f"a {self.type_name}")
        self._check_count(value)
        return [self._item._check(element) for element in value]

    def _check_sendable(self, value: Any) -> None:
        if isinstance(value, list):
            self._check_count(value)
            for element in value:
                self._item._check_sendable(element)
        elif self._allows_single:
            self._item._check_sendable(value)
        else:
            self._refuse(value, f"a {self.type_name}")

    def _check_count(self, value: Sequence[Any]) -> None:
        low, high = self.template.min_items or 0, self.template.max_items
        if len(value) < low or (high is not None and len(value) > high):
            self._refuse(value, f"{low} to {'any number of' if high is None else high} elements")


class FloatOrListField(ListField[float]):
    """A number, or a list with a number for each step, such as `cfg_scale`. Also an instance of `FloatField`."""


FloatField.register(FloatOrListField)


class RawField(Field[Any]):
    """JSON of a type that has no field class, such as the type of a custom node."""

    def _check(self, value: Any) -> Any:
        try:
            return as_json(value)
        except ValueError as error:
            self._refuse(value, f"a JSON value ({error})")


_FIELD_CLASSES: dict[str, type[Field[Any]]] = {
    "IntegerField": IntegerField,
    "FloatField": FloatField,
    "BooleanField": BooleanField,
    "StringField": StringField,
    "EnumField": EnumField,
    "SchedulerField": SchedulerField,
    "ColorField": ColorField,
    "BoundingBoxField": BoundingBoxField,
    "ImageField": ImageField,
    "VideoField": VideoField,
    "BoardField": BoardField,
    "ModelIdentifierField": ModelField,
    "LoRAField": LoRAField,
    "SavedWorkflowField": StringField,
    "StylePresetField": StylePresetField,
    "SystemPromptField": SystemPromptField,
    "FloatGeneratorField": GeneratorField,
    "IntegerGeneratorField": GeneratorField,
    "StringGeneratorField": GeneratorField,
    "ImageGeneratorField": GeneratorField,
}


def field_for(
    place: FieldPlace,
    template: InputTemplate,
    initial: Any = UNSET,
    *,
    edges: InputEdges | None = None,
    terms: ModelTerms = ANY_MODEL,
) -> Field[Any]:
    """Return a field for an input, by its template's type; a `RawField` for an unknown type.

    Args:
        place: the node and input.
        template: the input's template.
        initial: the value in the file.
        edges: the edges into the input.
        terms: the bases and types of models that the server knows.
    """
    field_class = _field_class(template.type)
    field = field_class(place, template, initial, edges=edges)
    if isinstance(field, ModelField | LoRAField):
        field.terms = terms
    if template.type.cardinality is Cardinality.SINGLE or field_class is RawField:
        return field
    allows_single = template.type.cardinality is Cardinality.SINGLE_OR_COLLECTION
    list_class = FloatOrListField if allows_single and field_class is FloatField else ListField
    return list_class(field, allows_single=allows_single, initial=initial, edges=edges)


def _field_class(field_type: FieldType) -> type[Field[Any]]:
    if field_type.name in _FIELD_CLASSES:
        return _FIELD_CLASSES[field_type.name]
    return ModelField if is_model_type(field_type.name) else RawField
