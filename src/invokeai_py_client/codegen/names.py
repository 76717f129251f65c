"""Python names for the inputs of a form, from their labels."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from invokeai_py_client.workflow.inputs import WorkflowInput

_LONGEST = 32

_AVOIDED = {"bool", "float", "int", "l", "object", "self", "str"}
"""Names that would shadow a type in later annotations, or look like a digit."""


def field_names(inputs: Sequence[WorkflowInput]) -> list[str]:
    """Return a valid and unique name for each input.

    The first of these that is unique is used: the label without parts in parentheses, the whole label, the label after
    that of the node, the label with a number.

    Example:
        >>> field_names(wf.inputs)
        ['positive_prompt', 'control_model', 'width']
    """
    ways = [_ways(one) for one in inputs]
    levels = [0] * len(ways)
    for level in (1, 2):
        counts = Counter(way[used] for way, used in zip(ways, levels, strict=True))
        levels = [level if counts[way[used]] > 1 else used for way, used in zip(ways, levels, strict=True)]
    names: list[str] = []
    for way, used in zip(ways, levels, strict=True):
        names.append(_free(way[used], names))
    return names


def class_name(name: str, taken: Collection[str]) -> str:
    """Return a name for the type of a field; it ends in `Choice` if the plain one is taken or a keyword."""
    words = "".join(word.capitalize() for word in name.split("_"))[:_LONGEST]
    is_free = words not in taken and not keyword.iskeyword(words)
    return words if is_free else _free(f"{words}Choice", taken)


def _ways(one: WorkflowInput) -> tuple[str, str, str]:
    label = _name(one.label)
    node = _words(one.field.place.node_label or one.field.place.node_type)
    short = _name(re.sub(r"\(.*?\)|\[.*?\]", " ", one.label)) if _words(one.label) else ""
    fallback = _name(one.field_name) or "value"
    label = label or fallback
    with_node = node if node.endswith(label) else f"{node}_{label}"
    return short or label, label, _name(with_node) or label


def _name(text: str) -> str:
    """Return a valid name from the words of a text, "" if it has none."""
    name = _words(text)
    if len(name) > _LONGEST:
        name = name[: _LONGEST + 1].rpartition("_")[0] or name[:_LONGEST]
    if name[:1].isdigit():
        name = f"input_{name}"[:_LONGEST].rstrip("_")
    return f"{name}_" if keyword.iskeyword(name) or name in _AVOIDED else name


def _words(text: str) -> str:
    """Return the ASCII letters and digits of a text in lower case, with underscores between the words."""
    plain = unicodedata.normalize("NFKD", text).casefold().encode("ascii", "ignore").decode()
    return "_".join(re.findall("[a-z0-9]+", plain))


def _free(name: str, taken: Collection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name.rstrip('_')}_{number}"
    return free
