"""A server that runs batches, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.batch_server import BatchServer
from tests.support.batches import Runs, client_of


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def client(server: BatchServer) -> Iterator[Runs]:
    with client_of(server.url) as runs:
        yield runs
