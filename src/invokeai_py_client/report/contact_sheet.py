"""Contact sheets: the images of a batch, side by side in PNG files."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.files import whole_file
from invokeai_py_client.pillow import check_pillow
from invokeai_py_client.report.axes import Axis, Grid, Row, captions_of, is_grid, latest
from invokeai_py_client.report.sheets import Cell, Painter, Table
from invokeai_py_client.report.thumbnails import usual_size

_NAME = re.compile(r"contact_sheet(-\d+)?\.png")


def contact_sheet(
    folder: Path, *, axes: Sequence[Axis] = (), rows: Iterable[Mapping[str, Any]], title: str = "", total: int = 0
) -> list[Path]:
    """Write the images of a batch side by side, as `contact_sheet.png`.

    The first axis is horizontal, the second vertical; each value of further axes has its own sheet. Rows are shown in
    order, with short captions, if there are no axes, if at most half of the cells of the grid would have a row, or if
    the only axis has more than 8 values. Rows that did not complete, and missing or damaged image files, are replaced
    by the reason. A sheet with more than 64 megapixels, or a side of more than 20,000 pixels, is split. Only one sheet
    and one image are in memory at a time.

    Args:
        folder: the folder of the batch. File paths of rows are relative to it.
        axes: the axes of the plan.
        rows: the rows, with the keys of a line of `manifest.jsonl`. If several have the same `row_id`, the last one is
            used.
        title: the title at the top of each sheet.
        total: the number of rows of the batch, if it is more than those that have ended.

    Returns:
        The paths of the sheets: `contact_sheet.png`, then `contact_sheet-2.png` and so on. Surplus sheets of an earlier
        call are deleted.

    Raises:
        InvokeAIError: Pillow is not installed.
        OSError: a sheet cannot be written.

    Example:
        ```
        contact_sheet(Path("out"), axes=[Axis("Steps", (8, 20))], rows=batch.to_rows(), title="Steps")
        ```
    """
    check_pillow(needed_by="contact_sheet()")
    return draw_sheets(folder, axes=axes, rows=rows, title=title, total=total, is_wanted=lambda: True)


def draw_sheets(
    folder: Path,
    *,
    axes: Sequence[Axis],
    rows: Iterable[Mapping[str, Any]],
    title: str,
    total: int,
    is_wanted: Callable[[], bool],
) -> list[Path]:
    """Do the same as `contact_sheet`, for as long as that is wanted.

    Args:
        is_wanted: called for each row. When it returns False, the sheet that is being drawn is dropped.
    """
    known = latest(rows)
    painter = Painter(folder, title, usual_size(folder, known))
    written: list[Path] = []
    for table in _tables(axes, known, max(total, len(known))):
        for sheet in painter.sheets(table):
            path = folder / (f"contact_sheet-{len(written) + 1}.png" if written else "contact_sheet.png")
            picture = painter.paint(sheet, is_wanted)
            if picture is None:
                return written
            with whole_file(path) as file:
                picture.save(file, format="PNG")
            written.append(path)
    for path in contact_sheets_in(folder):
        if path not in written:
            path.unlink()
    return written


def contact_sheets_in(folder: Path) -> list[Path]:
    """Return the contact sheets in the folder of a batch, in their order."""
    names = (path for path in folder.glob("contact_sheet*.png") if _NAME.fullmatch(path.name))
    return sorted(names, key=lambda path: (len(path.name), path.name))


def _tables(axes: Sequence[Axis], rows: Sequence[Row], total: int) -> Iterator[Table]:
    if not is_grid(axes, total):
        yield _gallery(rows)
        return
    grid = Grid(axes, rows)
    shown, others = grid.axes[:2], grid.axes[2:]
    across, down = shown if len(shown) == 2 else (shown[0], Axis("", ()))
    columns, lines = across.labels, down.labels or [""]
    subtitles = ([f"{axis.title}: {label}" for label in axis.labels] for axis in others)
    places = itertools.product(*(range(len(axis.values)) for axis in others))
    for place, subtitle in zip(places, itertools.product(*subtitles), strict=True):

        def cell(x: int, y: int, place: tuple[int, ...] = place) -> Cell:
            return Cell(grid.row_at((x, y, *place)[: len(grid.axes)]))

        yield Table(
            subtitle=", ".join(subtitle),
            across=across.title,
            down=down.title,
            columns=columns,
            labels=lines,
            cell=cell,
        )


def _gallery(rows: Sequence[Row]) -> Table:
    """Arrange rows in a square, in order. The caption of a row has the values that differ between rows."""
    columns = max(1, math.ceil(math.sqrt(len(rows))))
    captions = captions_of(rows)

    def cell(x: int, y: int) -> Cell | None:
        place = y * columns + x
        return Cell(rows[place], caption=captions[place]) if place < len(rows) else None

    lines = math.ceil(len(rows) / columns)
    return Table(columns=[""] * columns, labels=[""] * lines, cell=cell, captions=captions)
