"""The values of `--vary` and `--seeds`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.workflow_argument import find_input, value_of, whole_number

if TYPE_CHECKING:
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.workflow.inputs import WorkflowInput

SEED = "seed"
"""The key that means all seeds of a workflow."""

_MOST = 1_000_000
"""How many values a range has at most; more are a slip of the pen."""

_NUMBER = r"(-?\d{1,20}(?:\.\d{1,20})?)"
_RANGE = re.compile(rf"{_NUMBER}\.\.{_NUMBER}(?:\.\.{_NUMBER})?")


def columns_of(wf: WorkflowHandle, varied: Iterable[str]) -> dict[Any, Any]:
    """Return the columns of a plan.

    Args:
        wf: the workflow.
        varied: each is `KEY=VALUES`; the key is a label, an index, `node.field`, or `seed` for all seeds.

    Raises:
        Failure: one is not `KEY=VALUES`, is repeated, or has values that cannot be read.
        InputNotFoundError: there is no such input.
    """
    columns: dict[Any, Any] = {}
    for text in varied:
        name, equals, values = text.partition("=")
        key = name.strip()
        column: int | str
        if not equals:
            raise Failure("usage", f"--vary {text!r} has no '='.", "Write --vary 'Label=4,7,10'.")
        if key == SEED and wf.seed_inputs():
            cells, column = _split(key, values, None), key
        else:
            entry = find_input(wf, key)
            cells, column = _cells(key, values, entry), key
            index = whole_number(key)
            if index is not None and entry.label.casefold() != key.casefold():
                # The plan names the column of an index by the label of its input.
                column = index
        if column in columns:
            raise Failure("usage", f"--vary {key!r} is there twice.", "Give all its values at once, with commas.")
        columns[column] = cells
    return columns


def _cells(key: str, text: str, entry: WorkflowInput) -> Any:
    from invokeai_py_client.workflow.resource_fields import ImageField

    if not text.startswith("@"):
        return _split(key, text, entry)
    if isinstance(entry.field, ImageField):
        several = _split(key, text, entry) if "," in text else []
        # A folder or a pattern is read by the plan.
        return several if len(several) > 1 else text[1:]
    path = Path(text[1:])
    if not path.is_file():
        raise Failure(
            "bad_input",
            f"There is no file {text[1:]!r} with values of {key!r}.",
            "Put a text that begins with @ into double quotes.",
        )
    return path


def _split(key: str, text: str, entry: WorkflowInput | None) -> list[Any]:
    """Return the values of a text; those of a seed if no input is given."""
    import csv

    try:
        cells = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise Failure(
            "usage",
            f"The values of {key!r} cannot be read: {error}.",
            "Put a value that has a comma into double quotes, and double those inside of it.",
        ) from None
    if not cells:
        raise Failure("usage", f"--vary {key!r} has no values.", "Write --vary 'Label=4,7,10'.")
    is_number = entry is None or entry.type_name in ("IntegerField", "FloatField")
    values: list[Any] = []
    for cell in cells:
        found = _RANGE.fullmatch(cell.strip()) if is_number else None
        if found is not None:
            values += _range(key, *found.groups())
        elif entry is None:
            number = whole_number(cell)
            values.append(cell if number is None else number)
        else:
            values.append(value_of(entry, cell))
    return values


def _range(key: str, first: str, last: str, step: str | None) -> Sequence[int | float]:
    from decimal import Decimal

    low, high, width = Decimal(first), Decimal(last), abs(Decimal(step or 1))
    if not width:
        raise Failure("usage", f"The step of {key!r} is 0.", "Write a range as first..last..step, such as 4..20..4.")
    count = int(abs(high - low) / width) + 1
    if count > _MOST:
        raise Failure("usage", f"The range of {key!r} has {count:,} values.", f"{_MOST:,} are possible at most.")
    width = width if low <= high else -width
    numbers = [low + width * number for number in range(count)]
    is_whole = all(one == one.to_integral_value() for one in (low, width))
    return [int(one) if is_whole else float(one) for one in numbers]


def read_seeds(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Return what `wf.plan` takes for a value of `--seeds`: a number of seeds, a list of them, or `random`.

    Raises:
        BadParameter: it is none of these.
    """
    text = (value or "").strip()
    if value is None or text == "random":
        return value
    count = whole_number(text)
    if count is not None and count > 0:
        return count
    seeds = _split("--seeds", text, None) if "," in text or ".." in text else [text]
    if not all(isinstance(one, int) for one in seeds):
        raise click.BadParameter(f"{text!r} is neither a number of seeds, nor a list such as 7,21 or 7..9, nor random.")
    return seeds
