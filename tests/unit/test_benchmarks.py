"""The benchmarks measure what they say."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from benchmarks import startup


@pytest.fixture
def prefixes(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Where each interpreter that would be started keeps its compiled modules."""
    seen: list[str | None] = []

    def way_of(_: object) -> Callable[[], float]:
        def way() -> float:
            seen.append(os.environ.get("PYTHONPYCACHEPREFIX"))
            return 1.0

        return way

    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setattr(startup, "cpu_of", way_of)
    monkeypatch.setattr(startup, "cpu_of_code", way_of)
    return seen


def test_the_start_up_is_measured_with_compiled_modules(prefixes: list[str | None]) -> None:
    assert len([*startup.startup()]) == 3
    assert None not in prefixes
    assert len({*prefixes}) == 1
