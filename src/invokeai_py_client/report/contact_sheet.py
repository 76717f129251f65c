"""Contact sheets: what a batch made, as PNG files."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.files import whole_file
from invokeai_py_client.pillow import check_pillow
from invokeai_py_client.report.axes import Axis, Grid, Row, captions_of, label_of, latest
from invokeai_py_client.report.sheets import Cell, Painter, Table
from invokeai_py_client.report.thumbnails import usual_size

_MOST_EMPTY_CELLS = 10_000


def contact_sheet(
    folder: Path, *, axes: Sequence[Axis] = (), rows: Iterable[Mapping[str, Any]], title: str = ""
) -> list[Path]:
    """Write the images of a batch side by side, as `contact_sheet.png`.

    The first axis goes across, the second down; each value of further axes has a sheet of its own. Rows without axes,
    or with so many that hardly a place of the grid has a row, are put in their order, with short captions. What did not
    complete, and an image file that is missing or broken, has its reason in its place. A sheet with more than 64
    megapixels, or more than 20,000 pixels a side, is split. One sheet and one image are in memory at a time.

    Args:
        folder: the folder of the batch. File paths of rows are relative to it.
        axes: the axes of the plan.
        rows: the rows, with the keys of a line of `manifest.jsonl`; of several with one `row_id` the last counts.
        title: stands at the top of each sheet.

    Returns:
        The paths of the sheets: `contact_sheet.png`, then `contact_sheet-2.png` and so on. Sheets of an earlier call
        that are not needed any more are deleted.

    Raises:
        InvokeAIError: Pillow is not installed.
        OSError: a sheet cannot be written.

    Example:
        ```
        contact_sheet(Path("out"), axes=[Axis("Steps", (8, 20))], rows=batch.to_rows(), title="Steps")
        ```
    """
    check_pillow(needed_by="contact_sheet()")
    known = latest(rows)
    painter = Painter(folder, title, usual_size(folder, known))
    written: list[Path] = []
    for table in _tables(axes, known):
        for sheet in painter.sheets(table):
            path = folder / (f"contact_sheet-{len(written) + 1}.png" if written else "contact_sheet.png")
            with whole_file(path) as file:
                painter.paint(sheet).save(file, format="PNG")
            written.append(path)
    for path in folder.glob("contact_sheet-*.png"):
        if re.fullmatch(r"contact_sheet-\d+\.png", path.name) and path not in written:
            path.unlink()
    return written


def _tables(axes: Sequence[Axis], rows: Sequence[Row]) -> Iterator[Table]:
    places = math.prod(len(axis.values) for axis in axes)
    if not axes or places > max(_MOST_EMPTY_CELLS, 4 * len(rows)):
        yield _gallery(rows)
        return
    grid = Grid(axes, rows)
    shown, others = grid.axes[:2], grid.axes[2:]
    across, down = shown if len(shown) == 2 else (shown[0], Axis("", ("",)))
    for place in itertools.product(*(range(len(axis.values)) for axis in others)):
        values = (f"{axis.title}: {label_of(axis.values[at])}" for axis, at in zip(others, place, strict=True))

        def cell(x: int, y: int, place: tuple[int, ...] = place) -> Cell:
            return Cell(grid.row_at((x, y, *place)[: len(grid.axes)]))

        yield Table(
            subtitle=", ".join(values),
            across=across.title,
            down=down.title,
            columns=[label_of(value) for value in across.values],
            labels=[label_of(value) for value in down.values],
            cell=cell,
        )


def _gallery(rows: Sequence[Row]) -> Table:
    """Rows in their order, as many across as down. Below each stands what tells it from the others."""
    columns = max(1, math.ceil(math.sqrt(len(rows))))
    captions = captions_of(rows)

    def cell(x: int, y: int) -> Cell | None:
        place = y * columns + x
        return Cell(rows[place], caption=captions[place]) if place < len(rows) else None

    return Table(columns=[""] * columns, labels=[""] * math.ceil(len(rows) / columns), cell=cell, has_captions=True)
