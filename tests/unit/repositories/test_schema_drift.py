from __future__ import annotations

from typing import Any

import pytest
from tests.support import openapi

from invokeai_py_client.repositories.schema_drift import known_routes, schema_drift


@pytest.fixture
def document() -> dict[str, Any]:
    return openapi.document()


def test_a_server_of_this_version_has_all_that_is_needed(document: dict[str, Any]) -> None:
    assert schema_drift(document) == []


def test_each_call_is_known_by_its_route() -> None:
    routes = {(route.method, route.path) for route in known_routes()}
    assert ("POST", "/api/v1/queue/{queue_id}/enqueue_batch") in routes
    assert ("GET", "/api/v1/images/i/{image_name}") in routes


def change(document: dict[str, Any], what: str) -> None:
    schemas = document["components"]["schemas"]
    match what:
        case "route: POST /api/v1/queue/{queue_id}/enqueue_batch":
            del document["paths"]["/api/v1/queue/{queue_id}/enqueue_batch"]
        case "query: GET /api/v1/boards/":
            document["paths"]["/api/v1/boards/"]["get"]["parameters"] = []
        case "answer: GET /api/v1/images/i/{image_name}":
            del schemas["ImageDTO"]["properties"]["image_category"]
        case "answer: GET /api/v1/queue/{queue_id}/i/{item_id}":
            schemas["SessionQueueItem"]["properties"]["status"]["enum"].append("dreaming")
        case "event: invocation_complete":
            del schemas["InvocationCompleteEvent"]["properties"]["result"]
        case "node: integer_batch":
            del schemas["IntegerBatchInvocation"]
        case _:
            raise AssertionError(what)


@pytest.mark.parametrize(
    "what",
    [
        "route: POST /api/v1/queue/{queue_id}/enqueue_batch",
        "query: GET /api/v1/boards/",
        "answer: GET /api/v1/images/i/{image_name}",
        "answer: GET /api/v1/queue/{queue_id}/i/{item_id}",
        "event: invocation_complete",
        "node: integer_batch",
    ],
)
def test_what_is_missing_is_reported(what: str, document: dict[str, Any]) -> None:
    change(document, what)
    drifts = [str(drift) for drift in schema_drift(document)]
    assert any(drift.startswith(f"{what}: ") for drift in drifts), drifts
