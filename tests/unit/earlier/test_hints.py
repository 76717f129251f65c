"""What client 1.1 had, and this client has not, is answered with what to use instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.scripted_server import WORKFLOW, ScriptedServer

import invokeai_py_client
from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.earlier_names import ATTRIBUTES
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.workflow import fields, resource_fields


async def never(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """Nothing is submitted."""


@pytest.fixture(scope="module")
def client() -> Iterator[InvokeAIClient]:
    with ScriptedServer(never) as server, InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def wf(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))


Holder = Callable[[WorkflowHandle], Any]


@pytest.mark.parametrize(
    ("holder", "name", "instead"),
    [
        (lambda wf: wf, "set_input_value", r"wf\.inputs\[index\]\.value = "),
        (lambda wf: wf.aio, "set_input_value", r"wf\.inputs\[index\]\.value = "),
        (lambda wf: wf, "cancel_async", r"wf\.aio\.cancel\(\)"),
        (lambda wf: wf, "submitt", "Did you mean 'submit'"),
        (lambda wf: wf.inputs[0], "jsonpath", "field_name"),
        (lambda wf: wf.inputs[0].field, "validate_field", "when it is assigned"),
        (lambda wf: wf.inputs[0].field, "valeu", "Did you mean 'value'"),
    ],
)
def test_reading_what_is_not_there_says_what_to_use(
    wf: WorkflowHandle, holder: Holder, name: str, instead: str
) -> None:
    assert not hasattr(holder(wf), name)
    with pytest.raises(AttributeError, match=f"no attribute {name!r}.*{instead}"):
        getattr(holder(wf), name)


def test_setting_what_is_not_there_says_what_to_use(wf: WorkflowHandle) -> None:
    field = wf.inputs[0].field
    for name, instead in (("max_value", r"field\.template\.maximum"), ("valeu", "Did you mean 'value'")):
        with pytest.raises(AttributeError, match=instead):
            setattr(field, name, 3)
    assert field.value == 1


def test_a_property_that_fails_with_an_attribute_error_is_not_called_missing() -> None:
    class Broken(FixedAttributes):
        @property
        def name(self) -> str:
            raise AttributeError("the cause")

    with pytest.raises(AttributeError, match="the cause"):
        _ = Broken().name


def test_the_classes_and_attributes_of_the_hints_are_what_they_say() -> None:
    for owner, hints in ATTRIBUTES.items():
        home = next(one for one in (invokeai_py_client, fields, resource_fields) if hasattr(one, owner))
        for name in hints:
            assert not hasattr(getattr(home, owner), name), f"{owner}.{name} exists: its hint is never seen"


@pytest.mark.parametrize(
    ("arguments", "options", "shown"),
    [(("127.0.0.1", 9090), {}, "str, int"), ((), {"host": "localhost", "port": 9090, "api_key": "s3cret"}, "api_key")],
)
def test_a_client_of_a_host_and_a_port_is_made_from_a_url(
    arguments: tuple[Any, ...], options: dict[str, Any], shown: str
) -> None:
    with pytest.raises(SettingsError, match=r"InvokeAIClient\.from_url\('http://127\.0\.0\.1:9090'") as caught:
        InvokeAIClient(*arguments, **options)
    assert shown in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "instead"),
    [("api_key", "token="), ("verify_ssl", "verify="), ("max_retries", "retries="), ("invented", "'invented'")],
)
def test_an_option_that_from_url_does_not_have_names_the_one_that_it_has(option: str, instead: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument {option!r}") as caught:
        InvokeAIClient.from_url("http://127.0.0.1:9", **{option: "s3cret"})  # type: ignore[arg-type]
    assert instead in str(caught.value)
    frame = caught.tb
    while frame is not None:
        if (
            "invokeai_py_client" in frame.tb_frame.f_code.co_filename
            and "tests" not in frame.tb_frame.f_code.co_filename
        ):
            assert "s3cret" not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next  # type: ignore[assignment]


def test_a_private_board_is_a_matter_of_visibility(client: InvokeAIClient) -> None:
    with pytest.raises(TypeError, match="visibility='private'"):
        client.board_repo.create_board("tigers", is_private=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="visibility='private'"):
        client.board_repo.update_board("tigers", is_private=True)  # type: ignore[arg-type]


def test_callbacks_of_a_submission_are_event_handlers(wf: WorkflowHandle) -> None:
    with pytest.raises(TypeError, match=r"on_invocation_error.*wf\.on_event\(handler"):
        asyncio.run(wf.submit(on_invocation_error=print))  # type: ignore[arg-type]


def test_seconds_are_not_a_submission(wf: WorkflowHandle) -> None:
    with pytest.raises(TypeError, match=r"not 0\.5\. .*poll_interval=0\.5"):
        wf.wait_for_completion_sync(0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="submit_sync"):
        wf.cancel("default")  # type: ignore[arg-type]
