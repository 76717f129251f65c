"""What was measured: one record for each figure, and the file that keeps them, `results.json`."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"
OURS = "this client"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A median with its spread. `low` and `high` are the quartiles of what was measured."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    floor: float | None = None
    """The median of the least that does the same work, such as a bare aiohttp script."""
    ratio: float | None = None
    """The median of the ratios to the floor, each of two that were measured one after the other."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    goal: str | None = None
    met: bool | None = None
    contestant: str = OURS
    at: int | None = None
    """The number of live runs or rows, in a curve."""

    @property
    def key(self) -> str:
        """What a page names the figure by: its name, with the contestant and the number if there are any."""
        place = "" if self.at is None else f" at {self.at:,}"
        return f"{self.name}{place}" + ("" if self.contestant == OURS else f" of {self.contestant}")

    def __str__(self) -> str:
        what = f"{self.name}{'' if self.at is None else f', {self.at:,}'}: {self.contestant}"
        line = f"{what:72} {shown(self.value):>8} {self.unit:4} ({shown(self.low)} to {shown(self.high)})"
        if self.ratio is not None:
            line += f"; {self.ratio:.2f} x the floor"
        if self.goal is not None:
            line += f"; goal: {self.goal}, {'met' if self.met else 'MISSED'}"
        return line


@dataclass(frozen=True)
class Measurement:
    """What was measured in one pass through a part of the benchmarks.

    Args:
        name: what it is, as a person would say it.
        unit: of the figure and its floor.
        values: what was measured, once a round.
        floor: what the floor took in the same rounds, in the same order.
        scale: what both are multiplied by, such as 1000 for milliseconds.
        at_most: the goal of the median, in the unit.
        at_least: the same, where more is better.
        at_most_ratio: the goal of the ratio to the floor.
        contestant: who was measured.
        at: the number of live runs or rows, in a curve.
    """

    name: str
    unit: str
    values: Sequence[float]
    floor: Sequence[float] | None = None
    scale: float = field(default=1, kw_only=True)
    at_most: float | None = field(default=None, kw_only=True)
    at_least: float | None = field(default=None, kw_only=True)
    at_most_ratio: float | None = field(default=None, kw_only=True)
    contestant: str = field(default=OURS, kw_only=True)
    at: int | None = field(default=None, kw_only=True)

    def __add__(self, later: Measurement) -> Measurement:
        """Return the measurement of both passes."""
        floor = None if self.floor is None or later.floor is None else [*self.floor, *later.floor]
        return replace(self, values=[*self.values, *later.values], floor=floor)

    @property
    def figure(self) -> Figure:
        low, value, high = quartiles([self.scale * one for one in self.values])
        ratios: tuple[float, float, float] | None = None
        if self.floor is not None:
            ratios = quartiles([ours / least for ours, least in zip(self.values, self.floor, strict=True)])
        goal: str | None = None
        met: bool | None = None
        if self.at_most is not None:
            goal, met = f"at most {shown(self.at_most)} {self.unit}", value <= self.at_most
        elif self.at_least is not None:
            goal, met = f"at least {shown(self.at_least)} {self.unit}", value >= self.at_least
        elif self.at_most_ratio is not None and ratios is not None:
            goal, met = f"at most {self.at_most_ratio:g} x the floor", ratios[1] <= self.at_most_ratio
        return Figure(
            name=self.name,
            unit=self.unit,
            value=rounded(value),
            low=rounded(low),
            high=rounded(high),
            floor=None if self.floor is None else rounded(self.scale * statistics.median(self.floor)),
            ratio=None if ratios is None else rounded(ratios[1]),
            ratio_low=None if ratios is None else rounded(ratios[0]),
            ratio_high=None if ratios is None else rounded(ratios[2]),
            goal=goal,
            met=met,
            contestant=self.contestant,
            at=self.at,
        )


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def rounded(value: float, digits: int = 4) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}")


def conditions(part: str = "") -> str:
    """Describe the machine that a part of the figures, or all, were measured on, when, and what else it had to do."""
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [document["parts"][part]] if part else document["parts"].values()
    when = " and ".join(sorted({one["date"] for one in parts}))
    loads = [one["load"] for one in parts]
    load = " to ".join(str(one) for one in sorted({min(loads), max(loads)}))
    return f"{document['machine']}, on {when}; its load before a part was {load}"


def shown(value: float) -> str:
    """Return a number as pages show it: three significant digits, and commas between thousands."""
    decimals = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(rounded(value, 3)))))
    return f"{rounded(value, 3):,.{min(decimals, 3)}f}"


def keep(part: str, figures: Iterable[Figure], *, load: float) -> None:
    """Put the figures of one part of the benchmarks into the file, in place of those that it had of that part.

    Args:
        part: its name.
        figures: what was measured.
        load: the load of the machine before it.
    """
    document: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"parts": {}}
    document["machine"] = machine()
    document["parts"][part] = {
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(load, 1),
        "figures": [{name: value for name, value in asdict(one).items() if value is not None} for one in figures],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def kept() -> list[Figure]:
    """Return the figures of the file."""
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    return [Figure(**record) for part in document["parts"].values() for record in part["figures"]]


def changed(before: Iterable[Figure], now: Iterable[Figure]) -> Iterator[str]:
    """Say which ratios are more than 15 % larger or smaller than they were, a line each, and how many are not."""
    ratios = {one.key: one.ratio for one in before if one.ratio is not None}
    agree = 0
    for one in now:
        old = ratios.get(one.key)
        if one.ratio is None or old is None:
            continue
        if abs(one.ratio / old - 1) > 0.15:
            yield f"{one.key}: {one.ratio:.2f} x the floor, {old:.2f} before"
        else:
            agree += 1
    yield f"ratios within 15 % of those before: {agree}"


def machine() -> str:
    """Describe this machine in general terms."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, no GPU, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )
