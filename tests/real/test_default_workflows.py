"""Every default workflow of the server: its inputs are typed, and the server takes what is sent for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.workflow.field_factory import RawField


@pytest.fixture
def paused(client: InvokeAIClient) -> Iterator[InvokeAIClient]:
    """A client of a server that takes items and runs none; they are deleted afterwards."""
    client._make_request("PUT", "/queue/default/processor/pause")
    yield client
    client._make_request("PUT", "/queue/default/clear")
    client._make_request("PUT", "/queue/default/processor/resume")


def test_all_26_load_with_typed_inputs_and_are_accepted(paused: InvokeAIClient) -> None:
    found = paused.workflow_repo.list_available_workflows()
    assert len(found) == 26
    refused: dict[str, str | None] = {}
    for summary in found:
        wf = paused.workflow_repo.create_workflow(paused.workflow_repo.download_workflow(summary.workflow_id))
        assert len(wf.inputs) > 0, summary.name
        assert [str(shown) for shown in wf.inputs if isinstance(shown.field, RawField)] == [], summary.name
        try:
            paused._make_request("POST", "/queue/default/enqueue_batch", json=wf._build_submission())
        except errors.GraphRejectedError as error:
            refused[summary.name] = error.field
    # Models, and one file of prompts, are not on a server that was just installed.
    assert set(refused.values()) <= {"model", "file_path"}, refused
    assert len(found) - len(refused) == 11
