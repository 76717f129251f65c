"""A mistyped attribute cannot be set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.scripted_server import WORKFLOW, ScriptedServer

from invokeai_py_client import InvokeAIClient, Settings, WorkflowDefinition, WorkflowHandle


async def never(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """Nothing is submitted."""


@pytest.fixture(scope="module")
def wf() -> Iterator[WorkflowHandle]:
    with ScriptedServer(never) as server, InvokeAIClient.from_url(server.url) as client:
        yield client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


@pytest.mark.parametrize(
    ("holder", "name", "instead"),
    [
        (lambda wf: wf.inputs, "Steps", r"wf\.inputs\['Steps'\]\.value = "),
        (lambda wf: wf, "Steps", r"wf\.inputs\['Steps'\]\.value = "),
        (lambda wf: wf.nodes["add"].inputs, "a", r"wf\.nodes\['add'\]\.inputs\['a'\]\.value = "),
        (lambda wf: wf.nodes["add"], "labels", "Did you mean 'label'"),
        (lambda wf: wf.nodes["add"].inputs["a"], "valeu", "valeu"),
        (lambda wf: wf.nodes["add"].inputs["a"].field, "valeu", "Did you mean 'value'"),
        (lambda wf: wf.aio, "Steps", "no attribute 'Steps'"),
    ],
)
def test_it_says_what_to_write_instead(
    wf: WorkflowHandle, holder: Callable[[WorkflowHandle], Any], name: str, instead: str
) -> None:
    with pytest.raises(AttributeError, match=instead):
        setattr(holder(wf), name, 8)


def test_nothing_of_a_client_can_be_mistyped() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
        name = "tiemout"
        for holder in (client, client.aio, client.image_repo, client.aio.image_repo, client.queue, client.aio.queue):
            with pytest.raises(AttributeError, match="has no attribute 'tiemout'"):
                setattr(holder, name, 3)


def test_a_subclass_of_the_user_has_what_attributes_it_wants() -> None:
    class Studio(InvokeAIClient):
        def __init__(self) -> None:
            super().__init__(Settings(url="http://127.0.0.1:9"))
            self.studio_name = "north"

    with Studio() as studio:
        assert studio.studio_name == "north"
