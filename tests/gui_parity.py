"""The cases of `data/gui_parity`, and how their payloads are compared.

`cases` are the server's own workflows and variants of them; `cases-2` and `cases-3` are synthetic workflows of formats
1 to 4, odd ones among them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "gui_parity"

_SPEC = importlib.util.spec_from_file_location("gui_parity_compare", DATA / "compare.py")
assert _SPEC is not None
assert _SPEC.loader is not None
compare: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(compare)

GIVEN: list[dict[str, Any]] = [
    case for name in ("cases", "cases-2") for case in compare.cases(DATA / f"{name}.jsonl.gz")
]
FURTHER: list[dict[str, Any]] = list(compare.cases(DATA / "cases-3.jsonl.gz"))
CASES = [*GIVEN, *FURTHER]


def order(data: Any) -> list[list[tuple[str, str]]]:
    """The order of batch data, which decides the order of the items in the queue."""
    return [[(datum["node_path"], datum["field_name"]) for datum in group] for group in data or []]
