"""A server with several users: who may what, who sees what, and what is never seen."""

from __future__ import annotations

import copy
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SLEEP
from tests.real.conftest import ADMIN, ANN, BOB, client_of, client_with_token, server_with_users, token_of

from invokeai_py_client import Event, InvokeAIClient, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.local import LocalServer

A_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.")
"""The start of a JSON Web Token, which is what the server gives."""


@pytest.fixture
def admin(shared: LocalServer) -> Iterator[InvokeAIClient]:
    with client_with_token(shared, ADMIN) as client:
        yield client


@pytest.fixture
def ann(shared: LocalServer) -> Iterator[InvokeAIClient]:
    with client_with_token(shared, ANN) as client:
        yield client


@pytest.fixture
def bob(shared: LocalServer) -> Iterator[InvokeAIClient]:
    with client_with_token(shared, BOB) as client:
        yield client


def sent(client: InvokeAIClient) -> int:
    return sum(count for statuses in client.stats().requests.values() for count in statuses.values())


def sleeper(client: InvokeAIClient, seconds: float = 0.1) -> WorkflowHandle:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(copy.deepcopy(SLEEP)))
    wf.set_many({"Steps": 4, "Seconds": seconds})
    return wf


def test_a_client_without_a_user_is_rejected(shared: LocalServer) -> None:
    with InvokeAIClient.from_url(shared.url, transport="polling") as nobody:
        assert nobody.app.get_version()
        assert nobody.auth.get_status().multiuser_enabled
        with pytest.raises(errors.AuthenticationError, match="an email and a password"):
            nobody.queue.get_status()
        with pytest.raises(PermissionError):
            nobody.auth.get_me()
    with InvokeAIClient.from_url(shared.url) as nobody:
        wf = sleeper(nobody)
        with pytest.raises(errors.AuthenticationError):
            wf.submit_sync()
        with pytest.raises(errors.AuthenticationError):
            next(nobody.queue.watch())
        with pytest.raises(errors.AuthenticationError), nobody.queue.watch():
            pass
        assert nobody.stats().events == 0


def test_a_run_of_a_user(ann: InvokeAIClient) -> None:
    run = sleeper(ann).submit_sync()
    assert [event.type for event in run.stream()].count("generator_progress") >= 3
    assert run.wait(30).status == "completed"
    assert ann.auth.get_me().email == ANN[0]


def test_a_token_does_as_well(shared: LocalServer, ann: InvokeAIClient) -> None:
    with InvokeAIClient.from_url(shared.url, token=token_of(ann, ANN)) as client:
        assert client.auth.get_me().email == ANN[0]
        assert sleeper(client).submit_sync().wait(30).status == "completed"
    with InvokeAIClient.from_url(shared.url, token="none") as client, pytest.raises(errors.AuthenticationError):
        client.auth.get_me()


def test_an_expired_token_is_renewed_once(shared: LocalServer) -> None:
    with client_of(shared, ANN, token="expired") as client:
        assert client.auth.get_me().email == ANN[0]
        assert sent(client) == 3, "refused, logged in, answered"
        assert client.auth.get_me().email == ANN[0]
        assert sent(client) == 4


def test_a_wrong_password_is_reported(shared: LocalServer) -> None:
    with (
        InvokeAIClient.from_url(shared.url, email=ANN[0], password="Wrong-Word-2026") as client,
        pytest.raises(errors.AuthenticationError, match="email or the password"),
    ):
        client.queue.get_status()


def test_a_wrong_password_does_not_make_the_server_unreachable(shared: LocalServer) -> None:
    with client_of(shared, (ANN[0], "Wrong-Word-2026")) as client:
        health = client.health_check()
        assert (health.is_reachable, health.is_usable, health.version) == (True, False, shared.version)
        assert isinstance(health.error, errors.AuthenticationError)
        assert client.auth.get_status().multiuser_enabled
        assert client.wait_until_ready(5) == shared.version
        assert client.auth.login(*ANN).email == ANN[0]
        assert client.health_check().is_usable


def test_the_socket_logs_in_again_when_the_token_has_expired(shared: LocalServer) -> None:
    with client_of(shared, ANN, token="expired") as client, client.queue.watch() as changes:
        first = threading.Thread(target=lambda: seen.append(next(changes)))
        seen: list[Event] = []
        first.start()
        assert sleeper(client).submit_sync().wait(30).status == "completed"
        first.join(30)
        assert len(seen) == 1
        assert client.stats().events > 0


def test_a_watch_of_a_deactivated_user_ends_with_an_error(shared: LocalServer, admin: InvokeAIClient) -> None:
    made = admin.auth.create_user("fay@example.org", "Fourth-Word-2026")
    with client_of(shared, ("fay@example.org", "Fourth-Word-2026")) as client, client.queue.watch() as changes:
        sleeper(client).submit_sync()
        assert next(changes).type
        admin.auth.update_user(made.user_id, is_active=False)
        with pytest.raises((errors.AuthenticationError, errors.ForbiddenError)):
            for _ in changes:
                pass
    admin.auth.delete_user(made.user_id)


def test_who_one_is_changes(shared: LocalServer) -> None:
    with InvokeAIClient.from_url(shared.url) as client:
        client.auth.login(*ANN)
        assert client.auth.get_me().email == ANN[0]
        assert sleeper(client).submit_sync().wait(30).status == "completed"
        with pytest.raises(errors.AuthenticationError):
            client.auth.login(BOB[0], "Wrong-Word-2026")
        assert client.auth.get_me().email == ANN[0]
        client.auth.login(*BOB, remember_me=True)
        assert client.auth.get_me().email == BOB[0]
        assert sleeper(client).submit_sync().wait(30).status == "completed"
        client.auth.logout()
        with pytest.raises(errors.AuthenticationError):
            client.auth.get_me()
        before = client.stats().requests["POST auth"]
        client.auth.logout()
        assert client.stats().requests["POST auth"] == before


def test_others_items_are_seen_as_redacted(ann: InvokeAIClient, bob: InvokeAIClient, admin: InvokeAIClient) -> None:
    admin.queue.pause()
    try:
        of_ann = [sleeper(ann).submit_sync() for _ in range(2)]
        of_bob = [sleeper(bob).submit_sync() for _ in range(2)]
        seen = {item.item_id: item for item in bob.queue.list_items()}
        assert seen[of_ann[0].item_id].batch_id == "redacted"
        assert seen[of_bob[0].item_id].batch_id == of_bob[0].batch_id
        assert bob.queue.get_item(of_ann[0].item_id).user_id == "redacted"
        assert {item.user_id for item in admin.queue.list_pending()} >= {seen[of_bob[0].item_id].user_id}
        with pytest.raises(errors.ForbiddenError):
            bob.queue.cancel_item(of_ann[0].item_id)
        # The users take turns, whoever was served last.
        of_all = [admin.queue.get_position(run.item_id).position for run in (*of_ann, *of_bob)]
        assert sorted(position or 0 for position in of_all) == [1, 2, 3, 4]
        assert of_all[0] in (1, 2)
        assert of_all[2] in (1, 2)
        assert [bob.queue.get_position(run.item_id).position for run in of_bob] == of_all[2:]
    finally:
        admin.queue.resume()
    ends = {run.item_id: run.wait(30) for run in (*of_ann, *of_bob)}
    begun = sorted(ends, key=lambda item_id: ends[item_id].started_at or "")
    expected = [
        run.item_id for _, run in sorted(zip(of_all, (*of_ann, *of_bob), strict=True), key=lambda pair: pair[0] or 0)
    ]
    assert begun == expected


def test_who_was_served_long_ago_is_known_all_the_same(
    ann: InvokeAIClient, bob: InvokeAIClient, admin: InvokeAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_py_client.repositories.queue.positions.ENDED_ITEMS", 1)
    monkeypatch.setattr("invokeai_py_client.wire.calls.queue.MAX_IDS_PER_REQUEST", 2)
    for client in (ann, bob, *[admin] * 5):
        assert sleeper(client, 0.0).submit_sync().wait(30).status == "completed"
    admin.queue.pause()
    try:
        runs = [sleeper(client, 0.0).submit_sync() for client in (bob, ann, admin)]
        assert [admin.queue.get_position(run.item_id).position for run in runs] == [2, 1, 3]
    finally:
        admin.queue.resume()
    ends = [run.wait(30) for run in runs]
    assert [end.item_id for end in sorted(ends, key=lambda end: end.started_at or "")] == [
        runs[1].item_id,
        runs[0].item_id,
        runs[2].item_id,
    ]


def test_where_users_do_not_take_turns_an_administrator_sees_it(tmp_path: Path) -> None:
    with (
        server_with_users(tmp_path, session_queue_mode="FIFO") as first_come,
        client_of(first_come, ADMIN) as admin,
        client_of(first_come, ANN) as ann,
        client_of(first_come, BOB) as bob,
    ):
        admin.queue.pause()
        runs = [sleeper(ann).submit_sync(), sleeper(ann).submit_sync(), sleeper(bob).submit_sync()]
        urgent = sleeper(bob).submit_sync(priority="urgent")
        expected = [urgent, *runs]
        assert [admin.queue.get_position(run.item_id).position for run in expected] == [1, 2, 3, 4]
        admin.queue.resume()
        ends = [run.wait(30) for run in expected]
        assert sorted(ends, key=lambda end: end.started_at or "") == ends


def test_one_does_not_see_the_others_events(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    seen: list[Any] = []
    stop = bob.on_connection(lambda change: None)
    mine = sleeper(bob).submit_sync()
    mine.wait(30)
    with bob.queue.watch() as changes:
        run = sleeper(ann).submit_sync()
        for event in changes:
            seen.append(event)
            if event.get("item_id") == run.item_id and event["status"] == "completed":
                break
    assert [event.type for event in seen] == ["batch_enqueued", *["queue_item_status_changed"] * 2]
    assert {event["batch_id"] for event in seen} == {"redacted"}
    stop()


def test_only_administrators_manage_users(admin: InvokeAIClient, ann: InvokeAIClient) -> None:
    with pytest.raises(errors.ForbiddenError):
        ann.auth.list_users()
    with pytest.raises(errors.ForbiddenError):
        ann.dnn_model_repo.install_model("/nowhere")
    users = {user.email: user for user in admin.auth.list_users()}
    assert {ADMIN[0], ANN[0], BOB[0]} <= set(users)
    password = admin.auth.generate_password()
    made = admin.auth.create_user("cy@example.org", password)
    assert admin.auth.get_user(made.user_id).email == "cy@example.org"
    assert admin.auth.update_user(made.user_id, display_name="Cy").display_name == "Cy"
    with pytest.raises(errors.RejectedError, match=r"already|exists"):
        admin.auth.create_user("cy@example.org", password)
    admin.auth.delete_user(made.user_id)
    with pytest.raises(errors.NotFoundError):
        admin.auth.get_user(made.user_id)
    with pytest.raises(errors.RejectedError):
        admin.auth.setup(*ADMIN)
    with pytest.raises(errors.RejectedError):
        admin.auth.delete_user(users[ADMIN[0]].user_id)


def test_a_user_finds_the_models(ann: InvokeAIClient) -> None:
    repo = ann.dnn_model_repo
    (model,) = repo.list_models(base="sd-1", type="main")
    assert repo.resolve(model.name).key == repo.get_model_by_key(model.key).key == model.key
    assert repo.get_model_by_hash(model.hash).key == model.key
    assert repo.get_related_models(model.key) == []
    assert repo.list_missing_models() == []


def test_a_user_keeps_style_presets(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    made = ann.style_preset_repo.create_style_preset("woodcut", "a woodcut of {prompt}", "photo")
    assert ann.style_preset_repo.get_style_preset(made.id).name == "woodcut"
    assert made.id not in {preset.id for preset in bob.style_preset_repo.list_style_presets()}
    with pytest.raises((errors.ForbiddenError, errors.NotFoundError)):
        bob.style_preset_repo.delete_style_preset(made.id)
    assert ann.style_preset_repo.update_style_preset(made.id, name="linocut").name == "linocut"
    ann.style_preset_repo.delete_style_preset(made.id)
    with pytest.raises(errors.NotFoundError):
        ann.style_preset_repo.get_style_preset(made.id)


def test_a_style_preset_is_shared(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    made = ann.style_preset_repo.create_style_preset("engraving", "an engraving of {prompt}", is_public=True)
    assert made.is_public
    assert bob.style_preset_repo.get_style_preset(made.id).name == "engraving"
    assert ann.style_preset_repo.update_style_preset(made.id, name="etching").is_public
    assert not ann.style_preset_repo.update_style_preset(made.id, is_public=False).is_public
    with pytest.raises(errors.ForbiddenError):
        bob.style_preset_repo.get_style_preset(made.id)
    ann.style_preset_repo.delete_style_preset(made.id)


def test_a_workflow_is_shared(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    mine = ann.workflow_repo.upload_workflow(WorkflowDefinition.from_dict({**copy.deepcopy(SLEEP), "name": "of ann"}))
    with pytest.raises(errors.ForbiddenError):
        bob.workflow_repo.download_workflow(mine)
    ann.workflow_repo.set_public(mine, True)
    assert bob.workflow_repo.download_workflow(mine).name == "of ann"
    assert bob.workflow_repo.create_workflow(mine).definition.name == "of ann"
    with pytest.raises(errors.ForbiddenError):
        bob.workflow_repo.set_public(mine, False)
    ann.workflow_repo.set_public(mine, False)
    with pytest.raises(errors.ForbiddenError):
        bob.workflow_repo.download_workflow(mine)
    with pytest.raises(errors.NotFoundError):
        ann.workflow_repo.set_public("none", True)
    (default,) = ann.workflow_repo.list_available_workflows("Text to Image - SD1.5")[:1]
    with pytest.raises(errors.RejectedError, match="is included with the server"):
        ann.workflow_repo.set_public(default.workflow_id, False)
    ann.workflow_repo.delete_workflow(mine)


def test_a_new_password_ends_the_old_tokens(shared: LocalServer, admin: InvokeAIClient) -> None:
    made = admin.auth.create_user("di@example.org", "First-Word-2026")
    with client_of(shared, ("di@example.org", "First-Word-2026")) as client:
        assert client.auth.update_me(display_name="Di").display_name == "Di"
        with pytest.raises(errors.RejectedError):
            client.auth.update_me(current_password="Wrong-Word-2026", new_password="Second-Word-2026")
        client.auth.update_me(current_password="First-Word-2026", new_password="Second-Word-2026")
        assert client.auth.get_me().email == "di@example.org"
    admin.auth.delete_user(made.user_id)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_the_run_of_a_deactivated_user_ends_with_an_error(
    shared: LocalServer, admin: InvokeAIClient, transport: str
) -> None:
    made = admin.auth.create_user(f"ed@{transport}.example", "Third-Word-2026")
    with client_of(shared, (made.email, "Third-Word-2026"), transport=transport) as client:
        run = sleeper(client, 30.0).submit_sync()
        for event in run.stream():
            if transport == "polling" or event.type == "generator_progress":
                break
        admin.auth.update_user(made.user_id, is_active=False)
        with pytest.raises((errors.AuthenticationError, errors.ForbiddenError)):
            run.wait(60)
    admin.queue.cancel_batch(run.batch_id)
    assert admin.queue.wait_until_idle(60)


def test_boards_are_private_shared_or_public(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    mine = ann.board_repo.create_board("ann's")
    assert mine.record["board_visibility"] == "private"
    assert mine.board_id not in [board.board_id for board in bob.board_repo.list_boards()]
    with pytest.raises((errors.ForbiddenError, errors.NotFoundError)):
        bob.board_repo.get_board_by_id(mine.board_id)
    for visibility in ("shared", "public"):
        ann.board_repo.update_board(mine.board_id, visibility=visibility)
        assert bob.board_repo.get_board_by_id(mine.board_id)["board_visibility"] == visibility
    with pytest.raises(errors.ForbiddenError):
        bob.board_repo.delete_board(mine.board_id)
    other = ann.board_repo.create_board("ann's too", visibility="public")
    assert other.board_id in [board.board_id for board in bob.board_repo.list_boards()]


def test_a_server_without_users_needs_no_login(client: InvokeAIClient) -> None:
    assert not client.auth.get_status().multiuser_enabled
    with InvokeAIClient.from_url(client.settings.url, email=ANN[0], password=ANN[1]) as named:
        assert named.queue.get_status()
        with pytest.raises(errors.ForbiddenError, match="multi-user mode"):
            named.auth.login(*ANN)
        named.auth.logout()
    with InvokeAIClient.from_url(client.settings.url, token="of no use") as named:
        named.auth.logout()


def test_secrets_are_never_seen(
    shared: LocalServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    with client_of(shared, BOB) as client:
        given = token_of(client, ANN)
    # Once with a token that is given, and once with one that a login gets.
    with client_of(shared, ANN, token=given) as client:
        seen += [repr(client), repr(client.settings), str(client.settings), repr(client.auth.get_me())]
    with client_of(shared, ANN) as client:
        wf = sleeper(client)
        run = wf.submit_sync()
        run.wait(30)
        seen += [repr(client), repr(client.settings), str(client.settings), repr(run)]
        seen += [
            repr(client.auth),
            repr(client.stats()),
            repr(wf),
            str([wf._repr_mimebundle_(), run._repr_mimebundle_()]),
        ]
        answer = client.request("GET", "/api/v1/auth/me")
        seen += [repr(answer), answer.text]
        wf.definition.save(tmp_path / "workflow.json")
        wf.export_input_index_map(tmp_path / "map.json")
        client.image_repo.download_many(["none.png"], tmp_path / "images")
        for attempt in (
            lambda: client.auth.login("no email", "Secret-Word-1"),
            lambda: client.auth.login(BOB[0], "Secret-Word-2"),
            lambda: client.auth.setup("no email", "Secret-Word-3"),
            lambda: client.auth.create_user("no email", "Secret-Word-4"),
            lambda: client.auth.update_me(current_password="Secret-Word-5", new_password="Secret-Word-6"),
            lambda: client.dnn_model_repo.install_model("/nowhere", access_token="Secret-Word-7"),
            lambda: client.dnn_model_repo.hf_login("Secret-Word-8"),
            lambda: client.queue.get_item(10**9),
            lambda: client.request("POST", "/api/v1/auth/login", json={"email": "none", "password": "Secret-Word-10"}),
            lambda: client.request("POST", "/api/v1/nowhere?access_token=Secret-Word-11"),
            lambda: client.request("POST", "/api/v1/nowhere", params={"access_token": "Secret-Word-12"}),
            lambda: client.request("GET", "/api/v1/nowhere", headers={"Authorization": "Secret-Word-13\n"}),
            lambda: InvokeAIClient.from_url("http://u:1/Secret-Word-14@127.0.0.1"),
            lambda: InvokeAIClient.from_url("http://127.0.0.1", proxy="ftp://u:Secret-Word-15@127.0.0.1"),
        ):
            with pytest.raises(errors.InvokeAIError) as caught:
                attempt()
            seen += [str(caught.value), repr(caught.value), repr(caught.value.__dict__)]
    with (
        pytest.raises(errors.InvokeAIError) as caught,
        InvokeAIClient.from_url(
            "http://127.0.0.1:9",
            email="a@example.org",
            password="Secret-Word-9",
            proxy="http://u:Secret-Word-16@127.0.0.1:9",
            retries=0,
        ) as client,
    ):
        client.queue.get_status()
    seen += [str(caught.value), repr(caught.value.__dict__), repr(caught.value.__cause__)]
    seen += [record.getMessage() + str(record.exc_text) for record in caplog.records]
    seen += [str(warning.message) for warning in recwarn]
    seen += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    everything = "\n".join(seen)
    assert A_TOKEN.search(given)
    for secret in (A_TOKEN, re.compile(ANN[1]), re.compile("Secret-Word")):
        assert not secret.search(everything)
