"""The 48 cases of `data/gui_parity`, and how their payloads are compared."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_SPEC = importlib.util.spec_from_file_location(
    "gui_parity_compare", Path(__file__).parent / "data" / "gui_parity" / "compare.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
compare: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(compare)

CASES: list[dict[str, Any]] = list(compare.cases())
