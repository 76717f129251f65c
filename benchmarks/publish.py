"""The figures in the README and in `docs/`: written from `results.json` by `make bench`, compared with it by a test.

A figure stands between two comments that no reader sees. What is between them is replaced:

- `<!-- measured: NAME -->…<!-- / -->`: the figure with its unit. NAME is that of the figure, with ` at 10,000` for a
  point of a curve and ` of CONTESTANT` for another contestant than this client.
- `<!-- measured: NAME, ratio -->`: its ratio to the floor. `<!-- measured: machine -->`: what it was measured on, with
  ` of PART` for a single part of the benchmarks.
- `<!-- table: NAME -->`: a table, one of `TABLES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.figures import OURS, Figure, conditions, kept, shown

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"<!-- (measured|table): ([^\n]+?) -->(.*?)<!-- / -->", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that may have figures."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def write() -> None:
    """Put the figures of the file into the pages."""
    figures = kept()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rendered(text, figures)) != text:
            page.write_text(new, encoding="utf-8")


def rendered(text: str, figures: Sequence[Figure]) -> str:
    """Return the text of a page with what the figures are."""
    by_key = {one.key: one for one in figures}

    def replaced(match: re.Match[str]) -> str:
        kind, name, _ = match.groups()
        content = f"\n{TABLES[name](figures)}\n" if kind == "table" else _measured(name, by_key)
        return f"<!-- {kind}: {name} -->{content}<!-- / -->"

    return MARKED.sub(replaced, text)


def without_figures(text: str) -> str:
    """Return the text of a page without what this module writes."""
    return MARKED.sub("", text)


def _measured(name: str, by_key: dict[str, Figure]) -> str:
    if name.startswith("machine"):
        return conditions(name.partition(" of ")[2])
    key = name.removesuffix(", ratio")
    if key not in by_key:
        raise KeyError(f"benchmarks/results.json has no figure {key!r}, only {sorted(by_key)}")
    one = by_key[key]
    return f"{one.ratio:.2f}" if name != key else f"{shown(one.value)} {one.unit}".strip()


def contests(figures: Sequence[Figure]) -> str:
    """Return what each contestant took in each contest."""
    compared = [one for one in figures if any(other.name == one.name and other.contestant != OURS for other in figures)]
    contestants = [*dict.fromkeys(one.contestant for one in compared)]
    names = [*dict.fromkeys(one.name for one in compared)]
    cells = {(one.name, one.contestant): f"{shown(one.value)} {one.unit}".strip() for one in compared}
    rows = [[name, *(cells.get((name, contestant), "") for contestant in contestants)] for name in names]
    return _table(["", *contestants], rows)


def goals(figures: Sequence[Figure]) -> str:
    """Return the figures that have a goal, with the goal and whether it is met."""
    rows = [
        [
            one.name if one.at is None else f"{one.name}, {one.at:,}",
            f"{shown(one.value)} {one.unit} ({shown(one.low)} to {shown(one.high)})",
            "" if one.ratio is None else f"{one.ratio:.2f} ({one.ratio_low:.2f} to {one.ratio_high:.2f})",
            one.goal,
            "yes" if one.met else "**no**",
        ]
        for one in figures
        if one.goal is not None
    ]
    return _table(["Figure", "Median (quartiles)", "Times the floor (quartiles)", "Goal", "Met"], rows)


def curves(figures: Sequence[Figure]) -> str:
    """Return the points of the curves of one client, one curve a line."""
    points = [one for one in figures if one.at is not None and not one.name.startswith("fleet")]
    places = sorted({one.at for one in points if one.at is not None})
    names = [*dict.fromkeys((one.name, one.unit) for one in points)]
    cells = {(one.name, one.at): shown(one.value) for one in points}
    rows = [[f"{name}, {unit}", *(cells.get((name, at), "") for at in places)] for name, unit in names]
    return _table(["", *(f"{at:,}" for at in places)], rows)


def fleet(figures: Sequence[Figure]) -> str:
    """Return what a fleet costs, one measured point a line."""
    points = [one for one in figures if one.name.startswith("fleet, ")]
    parts = {one.key: one.name.removeprefix("fleet, ").split(": ") for one in points}
    whats = [*dict.fromkeys((parts[one.key][1], one.unit) for one in points)]
    cells = {(parts[one.key][0], one.at, parts[one.key][1]): shown(one.value) for one in points}
    lines = [*dict.fromkeys((parts[one.key][0], one.at) for one in points)]
    rows = [[where, f"{at:,}", *(cells.get((where, at, what), "") for what, _ in whats)] for where, at in lines]
    return _table(["", "Rows", *(f"{what}, {unit}" for what, unit in whats)], rows)


TABLES: dict[str, Callable[[Sequence[Figure]], str]] = {
    "contests": contests,
    "goals": goals,
    "curves": curves,
    "fleet": fleet,
}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    write()
