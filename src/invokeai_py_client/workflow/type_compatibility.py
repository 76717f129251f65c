"""Whether an output may feed an input, by their types; follows the web UI's `validateConnectionTypes.ts`."""

from __future__ import annotations

from invokeai_py_client.workflow.templates import Cardinality, FieldType

_SINGLE = Cardinality.SINGLE
_COLLECTION = Cardinality.COLLECTION
_EITHER = Cardinality.SINGLE_OR_COLLECTION

_CONVERSIONS = {
    ("IntegerField", "FloatField"),
    ("IntegerField", "StringField"),
    ("FloatField", "StringField"),
}


def are_equal(one: FieldType, other: FieldType) -> bool:
    """Return whether two types, or their original types, are equal."""
    return any(
        mine == theirs
        for mine in (one, one.original)
        for theirs in (other, other.original)
        if mine is not None and theirs is not None
    )


def can_feed(source: FieldType, target: FieldType) -> bool:
    """Return whether an output of one type may feed an input of another."""
    if are_equal(source, target):
        return True
    if source.batch != target.batch:
        return False
    cardinalities_fit = source.cardinality == target.cardinality or (
        target.cardinality is _EITHER and source.cardinality in {_SINGLE, _COLLECTION}
    )
    return (
        (source.name == "CollectionItemField" and target.cardinality is not _COLLECTION)
        or (target.name == "CollectionItemField" and source.cardinality is _SINGLE)
        or (target.cardinality is _EITHER and source.name == target.name)
        or (source.name == "CollectionField" and target.cardinality is not _SINGLE)
        or (target.name == "CollectionField" and source.cardinality is _COLLECTION)
        or (cardinalities_fit and (source.name, target.name) in _CONVERSIONS)
        or target.name == "AnyField"
        or (source.name == "AnyField" and cardinalities_fit)
    )


def suit_each_other(one: FieldType, other: FieldType) -> bool:
    """Return whether one type can feed the other, or is a list of the other."""
    is_list_of = (
        one.name == other.name
        and one.batch == other.batch
        and {one.cardinality, other.cardinality} == {_SINGLE, _COLLECTION}
    )
    return can_feed(one, other) or can_feed(other, one) or is_list_of


def item_of(field_type: FieldType) -> FieldType | None:
    """Return the element type of a value for a `collect` node; None if it can be any type."""
    if field_type.name == "CollectionField":
        return None
    return field_type if field_type.cardinality is _SINGLE else FieldType(field_type.name, batch=field_type.batch)
