from __future__ import annotations

import gc
import gzip
import json
from pathlib import Path

import pytest

from invokeai_py_client.workflow.templates import NodeTemplates

OPENAPI = Path(__file__).parents[1] / "data" / "openapi-6.14.2.json.gz"


@pytest.fixture(scope="session")
def templates() -> NodeTemplates:
    """The node templates of a real 6.14.2 server."""
    return NodeTemplates.from_openapi(json.loads(gzip.decompress(OPENAPI.read_bytes())))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()
