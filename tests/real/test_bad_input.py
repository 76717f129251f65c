"""What bad input gets: an error of its own, which says what, where, and what to do. Nothing is half-submitted."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.documents import node
from tests.faults.proxy import FaultProxy
from tests.support.status_server import status_server

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, errors
from invokeai_py_client.local import LocalServer


def queue_size(client: InvokeAIClient) -> int:
    total: int = client._make_request("GET", "/queue/default/status").json()["queue"]["total"]
    return total


def test_a_value_of_the_wrong_type_or_out_of_range(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    for value in ("64", 64.5, True, [64]):
        with pytest.raises(errors.InputValueError, match=r"blank_image\.width") as caught:
            wf.get_input_value(0).value = value
        assert (caught.value.node_id, caught.value.field, caught.value.value) == ("blank", "width", value)
    assert wf.get_input_value(0).value == 64
    with pytest.raises(errors.InputValueError, match=r"img_blur\.radius .*at least 0"):
        wf.get_input_value(1).value = -1


def test_an_input_that_does_not_exist(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    with pytest.raises(LookupError, match="this workflow has 3"):
        wf.get_input_value(3)
    with pytest.raises(errors.InputNotFoundError, match="Did you mean 'Radius'"):
        wf.inputs["Raduis"]


def test_nodes_that_the_server_lacks_are_refused_at_submit(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    blur["nodes"][1]["data"]["type"] = "img_blurr"
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur, source="my.json"))
    before = queue_size(client)
    with pytest.raises(errors.UnknownNodeError, match=r"my\.json .*'img_blurr' \(node blur\).*: img_blur\.") as caught:
        wf.submit_sync()
    assert caught.value.node_types == ("img_blurr",)
    assert queue_size(client) == before


def test_what_a_node_cannot_do_without_is_asked_for_before_submitting(
    client: InvokeAIClient, blur: dict[str, Any], text_to_image: WorkflowDefinition
) -> None:
    blur["edges"] = []
    before = queue_size(client)
    with pytest.raises(
        errors.InputsNotReadyError, match=r"'Image' \(img_blur\.image of node blur\): it needs a value"
    ) as caught:
        client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur)).submit_sync()
    assert caught.value.problems == (("blur", "image", "it needs a value"),)
    with pytest.raises(errors.InputsNotReadyError, match=r"main_model_loader\.model .*sync_dnn_model"):
        client.workflow_repo.create_workflow(text_to_image).submit_sync()
    assert queue_size(client) == before


def test_what_the_server_refuses_names_the_node_and_the_field(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    blur["nodes"][1]["data"]["inputs"]["radius"]["value"] = "wide"
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    before = queue_size(client)
    # Unchecked, as a submit would refuse it itself.
    with pytest.raises(errors.GraphRejectedError, match=r"node 'blur'.*'radius'") as caught:
        client.request("POST", "/api/v1/queue/default/enqueue_batch", json=wf._build_submission())
    error = caught.value
    assert (error.status, error.node_id, error.node_type, error.field) == (422, "blur", "img_blur", "radius")
    assert pickle.loads(pickle.dumps(error)).node_id == "blur"
    assert queue_size(client) == before


def test_a_value_of_the_file_is_checked_before_it_is_sent(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    blur["nodes"][0]["data"]["inputs"]["width"]["value"] = "64"
    blur["nodes"][1]["data"]["inputs"]["radius"]["value"] = -5
    blur["nodes"].append(node("noise", "noise", "1.0.3", seed=4545345345, width=0, height=64))
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
    before = queue_size(client)
    with pytest.raises(errors.InputsNotReadyError) as caught:
        wf.submit_sync()
    places = {(node_id, name) for node_id, name, _ in caught.value.problems}
    assert places == {("blank", "width"), ("blur", "radius"), ("noise", "seed"), ("noise", "width")}
    assert set(wf.validate_inputs()) == {0, 1, ("noise", "seed"), ("noise", "width")}
    assert queue_size(client) == before


def test_a_thing_that_does_not_exist(client: InvokeAIClient, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="images/i/nothing"):
        client.image_repo.get_image("nothing")
    with pytest.raises(LookupError):
        client.delete_image("nothing.png")
    with pytest.raises(LookupError):
        client.image_repo.download_image("nothing.png", tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(errors.NotFoundError):
        client.cancel_workflow(10**9)
    with pytest.raises(errors.NotFoundError):
        client.workflow_repo.download_workflow("nothing")


def test_a_name_that_would_leave_its_folder(client: InvokeAIClient, tmp_path: Path) -> None:
    for name in ("../../etc/passwd", "..", "a\0b", "/etc/passwd"):
        with pytest.raises((errors.UnsafePathError, errors.NotFoundError, errors.RejectedError)):
            client.image_repo.download_image(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_exist() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with (
        InvokeAIClient.from_url(url, retries=1) as client,
        pytest.raises(ConnectionError, match="no connection to the server") as caught,
    ):
        client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(EMPTY))
    assert isinstance(caught.value, errors.TransportError)
    assert url in str(caught.value)


def test_a_server_that_goes_away_between_two_calls(server: LocalServer, blur: dict[str, Any]) -> None:
    with FaultProxy(server.url) as proxy, InvokeAIClient.from_url(proxy.url, retries=0, timeout=2.0) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))
        proxy.down()
        with pytest.raises(errors.TransportError, match="enqueue_batch"):
            wf.submit_sync()


EMPTY = {"name": "empty", "nodes": [], "edges": [], "meta": {"version": "3.0.0"}}


@pytest.fixture
def other_server() -> Iterator[str]:
    with status_server() as url:
        yield url


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (200, errors.NotInvokeAIError, "text/html"),
        (404, errors.NotInvokeAIError, "not an InvokeAI server"),
        (401, errors.AuthenticationError, "token"),
        (403, errors.ForbiddenError, "administrator"),
        (422, errors.RejectedError, "because"),
        (500, errors.ServerError, "because"),
        (503, errors.ServerError, "because"),
        (0, errors.TransportError, "connection broke"),
    ],
)
def test_a_server_that_answers_something_else(
    other_server: str, status: int, error: type[errors.InvokeAIError], words: str
) -> None:
    url = f"{other_server}/{status}"
    with (
        InvokeAIClient.from_url(url, retries=1) as client,
        pytest.raises(error, match=words) as caught,
    ):
        client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(EMPTY))
    assert url in str(caught.value)


def test_a_token_is_never_shown(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "s3cr3t-t0ken"
    with InvokeAIClient.from_url(server.url, token=secret) as client:
        client.app.get_version()
        with pytest.raises(errors.NotFoundError) as caught:
            client.image_repo.get_image("nothing")
        shown = [repr(client), repr(client.settings), str(caught.value), repr(caught.value.__dict__), caplog.text]
    assert not any(secret in text for text in shown)


def test_the_request_after_an_internal_error_is_not_lost(client: InvokeAIClient) -> None:
    for number in range(5):
        with pytest.raises(errors.ServerError):
            # The server takes it for a repository, asks for it, and does not expect to be refused.
            client.request("POST", "/api/v2/models/install", params={"source": "owner/none"}, json={})
        board = client.board_repo.create_board(f"after an error {number}")
        client.board_repo.delete_board(board)
