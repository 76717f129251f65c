from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
from tests.support.openapi import node_templates

from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport import backoff
from invokeai_py_client.workflow.templates import NodeTemplates


@pytest.fixture(scope="session")
def templates() -> NodeTemplates:
    """The node templates of a real 6.14.2 server."""
    return node_templates()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests and sockets tried again with hardly a pause. Delays that a server asks for are kept."""
    monkeypatch.setattr(backoff, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.02)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()
