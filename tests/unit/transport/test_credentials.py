"""The client's token, and when it logs in to get one, with a scripted server of logins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.virtual_engine import VirtualEngine

from invokeai_py_client.errors import ApiError, AuthenticationError, ForbiddenError, NotFoundError, ServerError
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.credentials import Credentials
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.records.users import LoginResult, UserRecord

URL = "https://studio.example"


def refusal(status: int, detail: Any = None) -> ApiError:
    kinds: dict[int, type[ApiError]] = {401: AuthenticationError, 403: ForbiddenError, 404: NotFoundError}
    kind = kinds.get(status, ServerError)
    return kind("refused", status=status, method="POST", url=f"{URL}/login", detail=detail)


class Door:
    """Answers each login with the next of its outcomes, else with a new token; it can be held."""

    def __init__(self, *outcomes: ApiError) -> None:
        self.outcomes = list(outcomes)
        self.logins: list[dict[str, Any]] = []
        self.opened = asyncio.Event()
        self.opened.set()
        self.asked = asyncio.Event()

    async def send(self, call: Call[LoginResult]) -> LoginResult:
        assert (call.method, call.path, call.has_secrets) == ("POST", "/api/v1/auth/login", True)
        self.logins.append(dict(call.body))
        number = len(self.logins)
        self.asked.set()
        await self.opened.wait()
        if self.outcomes:
            raise self.outcomes.pop(0)
        user = UserRecord(user_id="u", email=call.body["email"])
        return LoginResult(token=Secret(f"t{number}"), user=user, expires_in=1)


def credentials(**settings: Any) -> Credentials:
    return Credentials(Settings(URL, **settings), VirtualEngine())


def with_password(**settings: Any) -> Credentials:
    return credentials(email="a@b.c", password="word", **settings)


async def at_once(made: Credentials, door: Door, count: int) -> list[Any]:
    """Renew the token many times while the first login has no response yet."""
    token = made.token
    door.opened.clear()
    renewing = asyncio.gather(*(made.renew(token, door.send) for _ in range(count)), return_exceptions=True)
    await door.asked.wait()
    door.opened.set()
    return await renewing


@pytest.mark.parametrize(
    ("settings", "wants"),
    [
        ({}, False),
        ({"token": "t"}, False),
        ({"email": "a@b.c", "password": "p"}, True),
        ({"email": "a@b.c", "password": "p", "token": "t"}, False),
    ],
)
def test_a_login_is_wanted_if_there_is_a_password_but_no_token(settings: dict[str, str], wants: bool) -> None:
    made = credentials(**settings)
    assert made.wants_login is wants
    assert made.token == settings.get("token")
    assert made.identity == 0


def test_their_repr_shows_nothing() -> None:
    assert repr(with_password(token="t")) == "<Credentials>"


async def test_without_a_password_nothing_can_be_renewed() -> None:
    door, made = Door(), credentials(token="expired")
    assert await made.renew(Secret("expired"), door.send) is False
    assert door.logins == []
    assert made.token == "expired"


@pytest.mark.parametrize("token", [None, "expired"])
async def test_a_login_gets_the_token_and_tells_about_it(token: str | None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invokeai_py_client.auth")
    door, made = Door(), with_password(token=token)
    told: list[Secret | None] = []
    made.on_login = lambda: told.append(made.token)
    assert await made.renew(Secret.of(token), door.send) is True
    assert made.token == "t1"
    assert made.wants_login is False
    assert told == [Secret("t1")], "told when the token is there"
    assert door.logins == [{"email": "a@b.c", "password": Secret("word"), "remember_me": False}]
    assert caplog.messages == [f"logged in to {URL}" + (" again" if token else "")]
    assert made.identity == 0, "the same user"


async def test_a_token_that_was_replaced_meanwhile_is_not_renewed_again() -> None:
    door, made = Door(), with_password(token="new")
    assert await made.renew(Secret("old"), door.send) is True
    assert await made.renew(None, door.send) is True
    assert (door.logins, made.token) == ([], Secret("new"))


async def test_one_login_serves_all_that_were_refused_at_once() -> None:
    door, made = Door(), with_password(token="old")
    assert await at_once(made, door, 5) == [True] * 5
    assert len(door.logins) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_reaches_those_who_waited_and_is_kept_until_a_call_asks_again(status: int) -> None:
    kind: type[ApiError] = {401: AuthenticationError, 403: ForbiddenError}[status]
    door, made = Door(*[refusal(status)] * 2), with_password()
    outcomes = await at_once(made, door, 3)
    assert [type(one) for one in outcomes] == [kind] * 3
    assert len({id(one) for one in outcomes}) == 3, "each has an exception of its own"
    assert len(door.logins) == 1
    with pytest.raises(kind):
        await made.renew(None, door.send, is_asked=False)
    assert len(door.logins) == 1
    with pytest.raises(kind):
        await made.renew(None, door.send)
    assert len(door.logins) == 2
    assert await made.renew(None, door.send) is True
    assert len(door.logins) == 3


@pytest.mark.parametrize("accept", ["login", "log in", "adopt", "forget"])
async def test_a_refusal_is_forgotten_when_the_client_has_another_token_or_user(accept: str) -> None:
    door, made = Door(refusal(401)), with_password()
    with pytest.raises(AuthenticationError):
        await made.renew(None, door.send)
    if accept == "login":
        await made.renew(None, door.send)
    elif accept == "adopt":
        made.adopt("adopted")
    else:
        if accept == "forget":
            made.forget()
        await made.log_in("b@b.c", Secret("word"), door.send)
    token = made.token
    assert token is not None
    assert await made.renew(token, door.send, is_asked=False) is True
    assert made.token not in (None, token)


@pytest.mark.parametrize("status", [500, 429])
async def test_a_server_that_cannot_log_in_now_has_refused_nothing(status: int) -> None:
    door, made = Door(refusal(status)), with_password()
    with pytest.raises(ServerError) as caught:
        await made.renew(None, door.send)
    assert caught.value.status == status
    assert made.wants_login
    assert await made.renew(None, door.send, is_asked=False) is True


async def test_a_wrong_password_is_reported_without_it() -> None:
    door, made = Door(refusal(401, "Incorrect")), with_password()
    with pytest.raises(AuthenticationError, match="email or the password") as caught:
        await made.renew(None, door.send)
    error = caught.value
    assert (error.status, error.method, error.url, error.detail) == (401, "POST", f"{URL}/login", "Incorrect")
    assert error.url in str(error)
    assert error.hint
    assert error.__cause__ is None
    assert "word" not in str(error).replace("password", "")


NO_USERS = [
    (refusal(403, "Multiuser mode is disabled"), True),
    (refusal(403, "Your account is disabled"), False),
    (refusal(403), False),
    (refusal(404, "Not Found"), True),
    (refusal(405, "Method Not Allowed"), True),
    (refusal(404, "Multiuser"), True),
    (refusal(500, "Multiuser"), False),
]


@pytest.mark.parametrize(("answer", "has_no_users"), NO_USERS)
async def test_a_server_without_users_is_used_without_a_token(answer: ApiError, has_no_users: bool) -> None:
    door, made = Door(answer), with_password()
    if not has_no_users:
        with pytest.raises(type(answer)):
            await made.renew(None, door.send)
        assert made.wants_login
        return
    assert await made.renew(None, door.send) is False
    assert made.token is None
    assert not made.wants_login


@pytest.mark.parametrize(("answer", "has_no_users"), NO_USERS)
async def test_logging_in_where_there_are_no_users_changes_nothing(answer: ApiError, has_no_users: bool) -> None:
    door, made = Door(answer), credentials(token="t")
    if has_no_users:
        assert await made.log_in("a@b.c", Secret("word"), door.send) is None
    else:
        with pytest.raises(type(answer)):
            await made.log_in("a@b.c", Secret("word"), door.send)
    assert (made.token, made.identity) == (Secret("t"), 0)
    assert await made.renew(Secret("t"), door.send) is False, "there is no password"


async def test_logging_in_makes_the_client_that_user() -> None:
    door, made = Door(), credentials(token="before")
    told: list[int] = []
    made.on_login = lambda: told.append(made.identity)
    user = await made.log_in("b@b.c", Secret("other"), door.send)
    assert user is not None
    assert user.email == "b@b.c"
    assert (made.token, made.identity, told) == (Secret("t1"), 1, [1])
    assert await made.renew(Secret("t1"), door.send) is True
    assert door.logins[1] == door.logins[0] == {"email": "b@b.c", "password": Secret("other"), "remember_me": False}
    assert made.identity == 1
    await made.log_in("c@b.c", Secret("third"), door.send)
    assert made.identity == 2


async def test_a_refused_user_leaves_the_one_before() -> None:
    door, made = Door(refusal(401)), with_password(token="t")
    with pytest.raises(AuthenticationError):
        await made.log_in("b@b.c", Secret("wrong"), door.send, remember_me=True)
    assert (made.token, made.identity) == (Secret("t"), 0)
    await made.renew(Secret("t"), door.send)
    assert door.logins[1] == {"email": "a@b.c", "password": Secret("word"), "remember_me": False}


@pytest.mark.parametrize(
    ("choices", "sent"),
    [([None], [False]), ([True, None], [True, True]), ([True, False, None], [True, False, False])],
)
async def test_how_long_a_login_is_remembered_is_kept_until_it_is_changed(
    choices: list[bool | None], sent: list[bool]
) -> None:
    door, made = Door(), credentials()
    for remember_me in choices:
        await made.log_in("a@b.c", Secret("word"), door.send, remember_me=remember_me)
    await made.renew(made.token, door.send)
    assert [login["remember_me"] for login in door.logins] == [*sent, sent[-1]]


async def forget(made: Credentials) -> None:
    made.forget()


async def become_another(made: Credentials) -> None:
    await made.log_in("b@b.c", Secret("word"), Door().send)


@pytest.mark.parametrize("change", [forget, become_another])
@pytest.mark.parametrize("late", [None, refusal(401)])
async def test_a_late_response_to_a_login_does_not_change_who_the_client_is_now(
    change: Callable[[Credentials], Any], late: ApiError | None
) -> None:
    door, made = Door(*([late] if late else [])), with_password(token="old")
    told: list[None] = []
    door.opened.clear()
    renewing = asyncio.create_task(made.renew(Secret("old"), door.send))
    await door.asked.wait()
    await change(made)
    token = made.token
    made.on_login = lambda: told.append(None)
    door.opened.set()
    assert await renewing is (token is not None)
    assert made.token == token
    assert told == []
    # Neither is the refusal that of the new user.
    await made.log_in("c@b.c", Secret("word"), Door().send)
    assert await made.renew(made.token, Door().send, is_asked=False) is True


def test_to_forget_leaves_neither_token_nor_password() -> None:
    made = with_password(token="t")
    made.forget()
    assert made.token is None
    assert not made.wants_login
    assert made.identity == 1


async def test_a_renewed_token_replaces_the_one_before(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "invokeai_py_client.auth")
    door, made = Door(), with_password(token="t")
    made.adopt("newer")
    assert made.token == "newer"
    assert isinstance(made.token, Secret)
    assert made.identity == 0
    assert await made.renew(Secret("t"), door.send) is True
    assert door.logins == []
    assert "newer" not in caplog.text


def test_it_can_be_used_on_the_loop_of_each_process() -> None:
    class Forked(VirtualEngine):
        number = 1

        @property
        def generation(self) -> int:
            return self.number

    engine = Forked()
    made = Credentials(Settings(URL, email="a@b.c", password="word"), engine)

    # A lock that was waited for on one loop cannot be waited for on another.
    assert asyncio.run(at_once(made, Door(), 2)) == [True, True]
    engine.number = 2
    assert asyncio.run(at_once(made, Door(), 2)) == [True, True]
