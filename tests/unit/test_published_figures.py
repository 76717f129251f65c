"""Figures in the README and in `docs/` are those of `benchmarks/results.json`."""

from __future__ import annotations

import re

import pytest
from benchmarks.figures import Figure, Measurement, changed, kept
from benchmarks.publish import ROOT, pages, rendered, without_figures

WITH_UNIT = re.compile(r"\d[\d.,]* ?(?:ms|us|s|seconds|MB|MiB|times|x|%)(?!\w)")


def test_pages_show_what_was_measured() -> None:
    """`make bench` writes the pages again; `python -m benchmarks.publish` does that without measuring."""
    figures = kept()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert rendered(text, figures) == text, page


@pytest.mark.parametrize("page", ["README.md", "docs/performance.md"])
def test_no_measurement_is_written_by_hand(page: str) -> None:
    assert WITH_UNIT.findall(without_figures((ROOT / page).read_text(encoding="utf-8"))) == []


def test_figures_are_named() -> None:
    keys = [one.key for one in kept()]
    assert len(keys) == len({*keys})


def one_figure() -> Figure:
    return Measurement("start", "ms", [0.2, 0.1, 0.4], [0.1, 0.1, 0.1], scale=1000, at_most_ratio=1.5, at=10).figure


def test_a_figure_is_a_median_with_its_quartiles() -> None:
    one = one_figure()
    assert (one.low, one.value, one.high, one.floor) == (150, 200, 300, 100)
    assert (one.ratio_low, one.ratio, one.ratio_high) == (1.5, 2, 3)
    assert (one.goal, one.met) == ("at most 1.5 x the floor", False)


def test_a_figure_of_two_passes_has_the_values_of_both() -> None:
    both = (Measurement("start", "s", [1, 2], [1, 1]) + Measurement("start", "s", [3], [2])).figure
    assert (both.value, both.floor, both.ratio) == (2, 1, 1.5)


def test_ratios_that_have_changed_are_told() -> None:
    before = [Measurement(name, "s", [2.0], [1.0]).figure for name in ("start", "end")]
    now = [Measurement("start", "s", [2.4], [1.0]).figure, Measurement("end", "s", [2.2], [1.0]).figure]
    assert [*changed(before, now)] == [
        "start: 2.40 x the floor, 2.00 before",
        "ratios within 15 % of those before: 1",
    ]


def test_marks_are_filled() -> None:
    text = (
        "It takes <!-- measured: start at 10 --><!-- / -->, <!-- measured: start at 10, ratio -->9<!-- / --> times.\n"
    )
    new = rendered(text, [one_figure()])
    assert new == (
        "It takes <!-- measured: start at 10 -->200 ms<!-- / -->, "
        "<!-- measured: start at 10, ratio -->2.00<!-- / --> times.\n"
    )
    assert without_figures(new) == without_figures(text) == "It takes ,  times.\n"


def test_a_mark_of_no_figure_is_an_error() -> None:
    with pytest.raises(KeyError, match="no figure 'stop'"):
        rendered("<!-- measured: stop --><!-- / -->", [one_figure()])
