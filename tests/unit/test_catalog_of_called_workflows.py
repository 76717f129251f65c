"""What the catalog fetches of the workflows that are called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.called_workflows import blur_callee, caller, returning, workflow
from tests.documents import edge, node
from tests.support import openapi
from tests.support.openapi import node_templates

from invokeai_py_client import WorkflowDefinition, errors
from invokeai_py_client.catalog import Catalog
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.records.workflows import WorkflowRecord
from invokeai_py_client.workflow.called_workflows import CalledWorkflows
from invokeai_py_client.workflow.templates import NodeTemplates

TEMPLATES = node_templates()


def calling(workflow_id: str) -> dict[str, Any]:
    nodes, edges = returning(
        node("call", "call_saved_workflow", "1.0.0", workflow_id=workflow_id),
        node("got", "workflow_return_get", "1.0.0", key="result"),
        edges=[edge("call", "values", "got", "values")],
        value=("got", "value"),
    )
    return workflow(f"calls {workflow_id}", nodes, edges)


class Library:
    """The library of a server: documents, or the status with which it refuses them."""

    settings = Settings()

    def __init__(self, workflows: Mapping[str, dict[str, Any] | int]) -> None:
        self._workflows = workflows
        self.asked: list[str] = []

    async def send(self, call: Call[Any]) -> Any:
        workflow_id = call.path.rpartition("/")[2]
        self.asked.append(workflow_id)
        await asyncio.sleep(0.01)
        found = self._workflows.get(workflow_id, 404)
        if isinstance(found, int):
            kind = {403: errors.ForbiddenError, 404: errors.NotFoundError}.get(found, errors.ServerError)
            raise kind("no", status=found, method=call.method, url=call.path)
        return WorkflowRecord(workflow_id=workflow_id, name=found["name"], workflow=found)

    def url_of(self, path: str, query: Query | None = None) -> str:
        return path


def called_by(
    engine: Engine, library: Library, *documents: dict[str, Any], templates: NodeTemplates = TEMPLATES
) -> list[CalledWorkflows]:
    catalog = Catalog(library, engine)
    definitions = [WorkflowDefinition.from_dict(document) for document in documents]

    async def ask() -> list[CalledWorkflows]:
        return await asyncio.gather(*(catalog.workflows_called_by(one, templates) for one in definitions))

    return engine.block(ask())


def test_what_a_called_workflow_calls_is_fetched_too(engine: Engine) -> None:
    library = Library({"a": calling("b"), "b": calling("c"), "c": blur_callee()})
    (called,) = called_by(engine, library, caller("a"))
    assert [(name, found.name, found.fault) for name, found in called.items()] == [
        ("a", "calls b", ""),
        ("b", "calls c", ""),
        ("c", "blurred", ""),
    ]
    assert library.asked == ["a", "b", "c"]


def test_workflows_that_call_each_other_are_fetched_once(engine: Engine) -> None:
    library = Library({"a": calling("b"), "b": calling("a")})
    called_by(engine, library, caller("a"))
    assert library.asked == ["a", "b"]


def test_no_more_is_fetched_than_the_server_would_call(engine: Engine) -> None:
    library = Library({str(depth): calling(str(depth + 1)) for depth in range(20)})
    called_by(engine, library, caller("0"))
    assert library.asked == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("status", "says"), [(404, "not in the server's library"), (403, "belongs to another user")])
def test_a_called_workflow_that_cannot_be_fetched_has_a_fault(status: int, says: str, engine: Engine) -> None:
    (called,) = called_by(engine, Library({"a": status}), caller("a"))
    assert (called["a"].definition, says in called["a"].fault) == (None, True)


def test_another_error_is_raised(engine: Engine) -> None:
    with pytest.raises(errors.ServerError):
        called_by(engine, Library({"a": 500}), caller("a"))


def test_many_who_ask_at_once_share_the_answer(engine: Engine) -> None:
    library = Library({"a": blur_callee()})
    assert len(called_by(engine, library, *[caller("a")] * 50)) == 50
    assert len(library.asked) <= 2


def test_nothing_is_asked_without_a_call(engine: Engine) -> None:
    library = Library({})
    assert called_by(engine, library, blur_callee(), caller("")) == [{}, {}]
    assert library.asked == []


def test_nothing_is_asked_of_a_server_without_calls(engine: Engine) -> None:
    document = openapi.document()
    del document["components"]["schemas"]["CallSavedWorkflowInvocation"]
    library = Library({})
    templates = NodeTemplates.from_openapi(document)
    assert called_by(engine, library, caller("a"), templates=templates) == [{}]
    assert library.asked == []
