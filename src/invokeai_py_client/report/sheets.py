"""The layout and drawing of tables of images on sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from invokeai_py_client.pillow import PIL
from invokeai_py_client.report.axes import Row
from invokeai_py_client.report.lettering import Block, Lettering
from invokeai_py_client.report.thumbnails import thumbnail

MOST_PIXELS = 64_000_000
"""The maximum number of pixels of a sheet, which take 200 MB of memory. Pillow warns above 89 megapixels."""

MOST_SIDE = 20_000
"""The maximum width and height of a sheet, in pixels. Many viewers do not show larger images."""

_WISHED_PIXELS = 24_000_000
"""The preferred maximum number of pixels of a table. To keep it, cells become smaller, down to the minimum size."""

_MOST_CELL, _LEAST_CELL = 320, 96
_MARGIN, _GAP = 16, 6
_LEAST_WIDTH = 480
_TITLE_HEIGHT, _HEAD_HEIGHT = 46, 46
_LEAST_CAPTION, _MOST_CAPTION = 24, 160
_CAPTION_SIZE = 14
_LABELS_TRIED = 30
_LABEL_WIDTHS = (48, 80, 120, 160, 240, 360, 480)

_WHITE, _TEXT, _SOFT = "#ffffff", "#1b1f24", "#57606a"
_FAILED = ("#ffebe9", "#a40e26")
_OTHERWISE = ("#eceff2", _SOFT)

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """The row at a place of a table, if there is one, and its caption."""

    row: Row | None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells with their captions, and the labels of columns and lines. If all labels are empty, they are not shown."""

    columns: Sequence[str]
    labels: Sequence[str]
    cell: Callable[[int, int], Cell | None]
    subtitle: str = ""
    across: str = ""
    down: str = ""
    captions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part of a table that fits on one image: the columns and lines with their labels, and their places."""

    table: Table
    width: int
    height: int
    cell_size: tuple[int, int]
    caption_height: int
    texts: Sequence[tuple[Block, Box, str, str]]
    columns: Sequence[tuple[int, int]]
    lines: Sequence[tuple[int, int]]


class Painter:
    """Lays out tables and paints them.

    Args:
        folder: the folder that file paths of rows are relative to.
        title: the title at the top of each sheet.
        image_size: the largest width and height of the images.
    """

    def __init__(self, folder: Path, title: str, image_size: tuple[int, int]) -> None:
        self._folder = folder
        self._title = title
        self._image_size = image_size
        self._lettering = Lettering()

    def sheets(self, table: Table) -> Iterator[Sheet]:
        """Divide a table into sheets that are not too large."""
        width, height = self._cell_size(table)
        label_width = self._label_width(table, height)
        labels = [self._lettering.block(label, label_width, height) for label in table.labels]
        heads = [self._lettering.block(head, width, _HEAD_HEIGHT) for head in table.columns]
        # A sheet has at least the labels of its columns and one line.
        tallest = max([height, *(block.height for block in (*labels, *heads))])
        room = min(MOST_SIDE, MOST_PIXELS // (3 * tallest)) - 2 * _MARGIN - label_width
        for first, last in _runs([width + _GAP] * len(heads), room):
            yield from self._part(table, (width, height), label_width, labels, heads, range(first, last))

    def _part(
        self,
        table: Table,
        cell_size: tuple[int, int],
        label_width: int,
        labels: Sequence[Block],
        heads: Sequence[Block],
        xs: range,
    ) -> Iterator[Sheet]:
        """Divide some columns of a table into sheets."""
        width, height = cell_size
        left = _MARGIN + (label_width + _GAP if label_width else 0)
        sheet_width = max(_LEAST_WIDTH, left + len(xs) * (width + _GAP) - _GAP + _MARGIN)
        inside = sheet_width - 2 * _MARGIN
        title = self._lettering.block(self._title, inside, _TITLE_HEIGHT, largest=26)
        across = self._lettering.block(table.across, inside - label_width, _HEAD_HEIGHT)
        down = self._lettering.block(table.down, label_width or inside, _HEAD_HEIGHT)
        head_height = max(max(heads[x].height for x in xs) + across.height, down.height)
        heights = [max(height, label.height) + _GAP for label in labels]
        taken = 3 * _MARGIN + title.height + head_height + _GAP
        longest = self._lettering.block(_subtitle(table, xs, range(len(labels) - 1)), inside, _HEAD_HEIGHT).height
        room = min(MOST_SIDE, MOST_PIXELS // sheet_width) - taken - longest
        for first, last in _runs(heights, room):
            ys = range(first, last)
            subtitle = self._lettering.block(_subtitle(table, xs, ys), inside, _HEAD_HEIGHT)
            texts = []
            top = _MARGIN
            for block, colour in ((title, _TEXT), (subtitle, _SOFT)):
                texts.append((block, (_MARGIN, top, sheet_width - _MARGIN, top + block.height), colour, "left"))
                top += block.height
            top += _GAP
            columns = [(x, left + number * (width + _GAP)) for number, x in enumerate(xs)]
            under = top + head_height
            texts.append((across, (left, top, columns[-1][1] + width, top + across.height), _SOFT, "middle"))
            texts.append((down, (_MARGIN, under - down.height, left - _GAP, under), _SOFT, "right"))
            texts += [
                (heads[x], (at, under - heads[x].height, at + width, under), _TEXT, "middle") for x, at in columns
            ]
            lines = []
            top = under + _GAP
            for y in ys:
                lines.append((y, top))
                texts.append((labels[y], (_MARGIN, top, left - _GAP, top + heights[y] - _GAP), _TEXT, "right"))
                top += heights[y]
            caption_height = self._caption_height(table, width)
            yield Sheet(table, sheet_width, top - _GAP + _MARGIN, cell_size, caption_height, texts, columns, lines)

    def paint(self, sheet: Sheet, is_wanted: Callable[[], bool]) -> PIL.Image.Image | None:
        """Paint a sheet, with one image in memory at a time. Return None once it is no longer wanted."""
        picture = PIL.Image.new("RGB", (sheet.width, sheet.height), _WHITE)
        canvas = PIL.ImageDraw.Draw(picture)
        for block, box, colour, across in sheet.texts:
            block.draw(canvas, box, colour, across=across)
        width, height = sheet.cell_size
        for y, top in sheet.lines:
            for x, left in sheet.columns:
                if not is_wanted():
                    return None
                cell = sheet.table.cell(x, y)
                if cell is None:
                    continue
                bottom = top + height - sheet.caption_height
                room = max(0, sheet.caption_height - 4)
                caption = self._lettering.short_block(cell.caption, width, room, largest=_CAPTION_SIZE)
                caption.draw(canvas, (left, bottom + 2, left + width, bottom + 2), _TEXT)
                self._paint_row(picture, canvas, cell.row, (left, top, left + width, bottom))
        return picture

    def _paint_row(self, picture: PIL.Image.Image, canvas: PIL.ImageDraw.ImageDraw, row: Row | None, box: Box) -> None:
        if row is None:
            self._mark(canvas, box, "not run", "", _OTHERWISE)
            return
        files = row.get("files", ())
        if not files:
            is_failure = row["status"] in ("failed", "invalid")
            word = "no image" if row["status"] == "completed" else str(row["status"]).replace("_", " ")
            self._mark(canvas, box, word, row.get("error") or "", _FAILED if is_failure else _OTHERWISE)
            return
        for file, part in zip(files, _divided(box, len(files)), strict=True):
            left, top, right, bottom = part
            image = thumbnail(self._folder / file["path"], (right - left, bottom - top))
            if isinstance(image, str):
                self._mark(canvas, part, "no image", image, _FAILED)
            else:
                place = (left + (right - left - image.width) // 2, top + (bottom - top - image.height) // 2)
                picture.paste(image, place)

    def _mark(
        self, canvas: PIL.ImageDraw.ImageDraw, box: Box, word: str, reason: str, colours: tuple[str, str]
    ) -> None:
        """Fill a place with a word, and as much of the reason below it as fits."""
        left, top, right, bottom = box
        back, colour = colours
        canvas.rectangle((left, top, right - 1, bottom - 1), fill=back)
        inside = (left + 4, top + 4, right - 4, bottom - 4)
        width, height = inside[2] - inside[0], inside[3] - inside[1]
        text = self._lettering.short_block(f"{word}: {reason}" if reason else word, width, height)
        text.draw(canvas, inside, colour)

    def _cell_size(self, table: Table) -> tuple[int, int]:
        """Choose the size of a cell by the size and number of the images."""
        width, height = self._image_size
        aspect = min(2.0, max(0.5, height / width)) if width else 1.0
        count = len(table.columns) * len(table.labels)

        def height_of(size: int) -> int:
            return round(size * aspect) + self._caption_height(table, size)

        size = min(_MOST_CELL, max(_LEAST_CELL, width))
        while size > _LEAST_CELL and count * (size + _GAP) * (height_of(size) + _GAP) > _WISHED_PIXELS:
            size -= 8
        return size, height_of(size)

    def _caption_height(self, table: Table, width: int) -> int:
        """Return the height that the longest captions need, within bounds; 0 if there are none."""
        if not table.captions:
            return 0
        longest = sorted(table.captions, key=len)[-_LABELS_TRIED:]
        needed = max(self._lettering.block(caption, width, 0, largest=_CAPTION_SIZE).height for caption in longest)
        return min(_MOST_CAPTION, max(_LEAST_CAPTION, needed + 4))

    def _label_width(self, table: Table, height: int) -> int:
        """Return the smallest width with which no label is higher than a cell, at most the largest width."""
        if not any(table.labels):
            return 0
        longest = sorted({*table.labels, table.down}, key=lambda label: (len(label), label))[-_LABELS_TRIED:]

        def fits(width: int) -> bool:
            blocks = (self._lettering.block(label, width, height) for label in longest)
            return all(block.height <= height and block.is_whole for block in blocks)

        return next(filter(fits, _LABEL_WIDTHS), _LABEL_WIDTHS[-1])


def _runs(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Divide a line of lengths into ranges that fit into `room`, of about the same size and at least one each."""
    total = sum(lengths)
    if total > room > 0:
        room = min(room, total // math.ceil(total / room) + max(lengths))
    first = used = 0
    for number, length in enumerate(lengths):
        if number > first and used + length > room:
            yield first, number
            first, used = number, 0
        used += length
    if lengths:
        yield first, len(lengths)


def _subtitle(table: Table, xs: range, ys: range) -> str:
    parts = [table.subtitle] if table.subtitle else []
    for name, run, all_of_them in (("columns", xs, table.columns), ("rows", ys, table.labels)):
        if len(run) < len(all_of_them):
            parts.append(f"{name} {run.start + 1} to {run.stop} of {len(all_of_them)}")
    return ", ".join(parts)


def _divided(box: Box, count: int) -> Iterator[Box]:
    """Divide a place among several images."""
    left, top, right, bottom = box
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    width, height = (right - left) // across, (bottom - top) // down
    for number in range(count):
        y, x = divmod(number, across)
        yield left + x * width, top + y * height, left + (x + 1) * width, top + (y + 1) * height
