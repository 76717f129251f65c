"""The plots of `results.json`, for the README and the documentation: PNG and SVG, for light and dark pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.figures import OURS, Figure, kept, shown

FOLDER = Path(__file__).parents[1] / "docs" / "performance"

THEMES = {
    "light": {"background": "#ffffff", "text": "#24292f", "grid": "#d0d7de", "ours": "#0072b2", "others": "#9aa5b1"},
    "dark": {"background": "#15181e", "text": "#e6edf3", "grid": "#30363d", "ours": "#56b4e9", "others": "#6e7a87"},
}

Colors = dict[str, str]


def draw() -> None:
    """Draw all plots."""
    FOLDER.mkdir(exist_ok=True)
    figures = kept()
    plots: dict[str, Callable[[Sequence[Figure], Colors], Drawing]] = {"contests": contests, "scale": scale}
    for theme, colors in THEMES.items():
        style: dict[Any, Any] = {
            "figure.facecolor": colors["background"],
            "axes.facecolor": colors["background"],
            "axes.edgecolor": colors["grid"],
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "grid.color": colors["grid"],
            "text.color": colors["text"],
            "axes.labelcolor": colors["text"],
            "xtick.color": colors["text"],
            "ytick.color": colors["text"],
            "font.size": 9,
            # The same figures make the same file.
            "svg.hashsalt": "invokeai-py-client",
        }
        for name, plot in plots.items():
            with mpl.rc_context(style):
                drawing = plot(figures, colors)
                drawing.savefig(FOLDER / f"{name}-{theme}.svg", metadata={"Date": None, "Creator": None})
                drawing.savefig(FOLDER / f"{name}-{theme}.png", dpi=150, metadata={"Software": None})


CONTESTS = (
    ("start to the first request", "Start to the first request"),
    ("what waiting adds to a run", "What waiting adds to a run"),
    ("50 runs together", "50 runs together"),
    ("a batch of 1,000 rows", "A batch of 1,000 rows"),
    ("500 uploads", "500 uploads"),
    ("500 downloads", "500 downloads"),
    ("CPU of the client, 50 runs together", "CPU of the client, 50 runs"),
    ("memory, a batch of 1,000 rows", "Memory, a batch of 1,000 rows"),
)


def contests(figures: Sequence[Figure], colors: Colors) -> Drawing:
    """Draw what each contestant took, one panel a contest; less is better in all."""
    drawing = Drawing(figsize=(10, 5.6), layout="constrained")
    for axes, (name, title) in zip(drawing.subplots(4, 2).flat, CONTESTS, strict=True):
        its = [one for one in figures if one.name == name][::-1]
        if not its:
            axes.set_axis_off()
            continue
        names = [one.contestant for one in its]
        bars = axes.barh(
            names,
            [one.value for one in its],
            color=[colors["ours" if one.contestant == OURS else "others"] for one in its],
            height=0.7,
        )
        axes.bar_label(bars, [f"{shown(one.value)} {one.unit}" for one in its], padding=3, fontsize=8)
        axes.set_title(title, loc="left")
        axes.set_xlim(0, 1.25 * max(one.high for one in its))
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
    return drawing


CURVES = (
    ("CPU of a submission beside live runs", "CPU of a submission", "live runs"),
    ("CPU of an event beside live runs", "CPU of an event", "live runs"),
    ("memory of live runs", "Memory of live runs", "live runs"),
    ("CPU of a batch", "CPU of a batch", "rows"),
)


def scale(figures: Sequence[Figure], colors: Colors) -> Drawing:
    """Draw what the client costs beside many live runs, and in large batches."""
    drawing = Drawing(figsize=(10, 2.6), layout="constrained")
    for axes, (name, title, what) in zip(drawing.subplots(1, 4), CURVES, strict=True):
        _curve(axes, [one for one in figures if one.name == name], colors)
        axes.set_title(title, loc="left")
        axes.set_xlabel(what)
    return drawing


def _curve(axes: Axes, points: Sequence[Figure], colors: Colors) -> None:
    places = [one.at or 0 for one in points]
    axes.fill_between(
        places, [one.low for one in points], [one.high for one in points], color=colors["ours"], alpha=0.2, linewidth=0
    )
    axes.plot(places, [one.value for one in points], color=colors["ours"], marker="o", markersize=4)
    axes.set_xscale("log")
    # A batch costs in proportion to its rows; the other curves should be flat.
    if points[-1].value > 20 * points[0].value:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.3 * max(one.high for one in points))
    axes.set_ylabel(points[0].unit)
    axes.grid(visible=True)
    axes.spines[["top", "right"]].set_visible(False)
