"""What a program pays before it does anything: the imports, and the command line's help.

All modules are compiled before, those of the libraries too. From start to the first request: `contests.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Measurement
from benchmarks.timing import cpu_of, cpu_of_code, interleaved, keeping_bytecode

ROUNDS = 8


def startup() -> Iterator[Measurement]:
    with keeping_bytecode():
        ours, bare = interleaved(ROUNDS, cpu_of_code("import invokeai_py_client"), cpu_of_code("pass"))
        over = [one - least for one, least in zip(ours, bare, strict=True)]
        yield Measurement(
            "CPU of import invokeai_py_client, over a bare interpreter", "ms", over, scale=1000, at_most=60
        )
        client = cpu_of_code("from invokeai_py_client import InvokeAIClient")
        ours, floor = interleaved(ROUNDS, client, cpu_of_code("import aiohttp, pydantic.main"))
        yield Measurement(
            "CPU of from invokeai_py_client import InvokeAIClient", "ms", ours, floor, scale=1000, at_most_ratio=1.25
        )
        program = str(Path(sys.executable).with_name("invokeai-client"))
        help_, bare = interleaved(ROUNDS, cpu_of([program, "--help"]), cpu_of_code("pass"))
        over = [one - least for one, least in zip(help_, bare, strict=True)]
        yield Measurement("CPU of invokeai-client --help, over a bare interpreter", "ms", over, scale=1000, at_most=120)
