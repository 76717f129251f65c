from __future__ import annotations

import traceback
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import SettingsError
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://localhost:9090", "http://localhost:9090"),
        ("localhost:9090/", "http://localhost:9090"),
        (" https://studio.example/invoke/ ", "https://studio.example/invoke"),
        ("https://studio.example/invoke/api/v1", "https://studio.example/invoke"),
        ("http://localhost:9090/api/v1/", "http://localhost:9090"),
        ("ws://localhost:9090", "http://localhost:9090"),
        ("wss://studio.example", "https://studio.example"),
        ("http://[::1]:9090", "http://[::1]:9090"),
    ],
)
def test_a_url_is_the_servers_root_however_it_is_written(given: str, url: str) -> None:
    assert Settings(given).url == url


@pytest.mark.parametrize(
    "url", ["", "http://", "ftp://localhost", "http://localhost:99999", "http://localhost/?a=1", "http://a b:c"]
)
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(url)
    assert caught.value.setting == "url"


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings("http://me:s3cret@localhost:9090")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a\nb", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(token=token)
    assert caught.value.setting == "token"
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("setting", [{"timeout": 0}, {"connect_timeout": -1}, {"retries": -1}])
def test_a_number_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Settings("localhost", **setting)


def test_the_token_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(Settings(token="s3cret"))


def test_the_environment_gives_what_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:1234")
    monkeypatch.setenv("INVOKEAI_TOKEN", "t0ken")
    settings = Settings.from_environment()
    assert (settings.url, settings.token) == ("http://127.0.0.1:1234", Secret("t0ken"))
    assert Settings.from_environment(url="localhost").url == "http://localhost"


def test_the_proxy_comes_from_the_environment_but_not_for_hosts_that_go_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert Settings("http://studio.example").proxy == "http://proxy.example:3128"
    assert Settings("http://127.0.0.1:9090").proxy is None


def test_a_ca_bundle_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.pem"):
        Settings(verify="nowhere.pem").ssl_context()


@pytest.mark.parametrize("given", [{"email": "a@b.c"}, {"password": "x"}])
def test_half_a_login_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="both"):
        Settings(**given)  # type: ignore[arg-type]


def test_a_login_comes_from_the_environment_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_EMAIL", "ann@example.org")
    monkeypatch.setenv("INVOKEAI_PASSWORD", "secret-word")
    settings = Settings.from_environment()
    assert (settings.email, settings.password) == ("ann@example.org", Secret("secret-word"))
    assert "secret-word" not in repr(settings)


PASSED = [{"token": "passed"}, {"email": "bob@example.org", "password": "passed"}]


@pytest.mark.parametrize("passed", PASSED)
@pytest.mark.parametrize("found", [{"TOKEN": "found"}, {"EMAIL": "ann@example.org", "PASSWORD": "found"}])
def test_who_one_is_comes_as_a_whole(
    passed: dict[str, Any], found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in found.items():
        monkeypatch.setenv(f"INVOKEAI_{name}", value)
    for settings in (Settings.from_environment(**passed), InvokeAIClient.from_url("localhost", **passed).settings):
        who = {"token": settings.token, "email": settings.email, "password": settings.password}
        assert {name: value for name, value in who.items() if value is not None} == passed


@pytest.mark.parametrize("half", ["EMAIL", "PASSWORD"])
def test_half_a_login_in_the_environment_is_reported_by_its_name(half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"INVOKEAI_{half}", "s3cret")
    with pytest.raises(SettingsError, match=rf"^INVOKEAI_{half} is set.*INVOKEAI_.* is not") as caught:
        Settings.from_environment()
    assert "s3cret" not in str(caught.value)
    assert Settings.from_environment(token="t").token == "t"


@pytest.mark.parametrize(
    ("named", "is_taken"),
    [
        (None, True),
        ("http://studio.example:80/other", True),
        ("studio.example", True),
        ("https://studio.example", False),
        ("http://elsewhere.example", False),
        ("http://studio.example:9090", False),
        ("ftp://studio.example", False),
    ],
)
def test_an_address_is_shown_the_environment_s_token_unless_that_is_for_another_server(
    named: str | None, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "found")
    if named is not None:
        monkeypatch.setenv("INVOKEAI_URL", named)
    assert InvokeAIClient.from_url("http://studio.example").settings.token == ("found" if is_taken else None)
    assert Settings("http://studio.example").token is None


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret/@studio.example",
        "http://u:1234/s3cret@studio.example",
        "http://u:#s3cret@studio.example",
        "http://u:?s3cret@studio.example",
        "u:s3cret@studio.example",
        "http://studio.example/?token=s3cret",
        "http://studio.example/#s3cret",
        "ftp://studio.example/?s3cret",
        "http://studio.example:99999/?s3cret",
        "http://[studio.example/?s3cret",
    ],
)
def test_what_may_be_secret_in_a_url_is_not_shown(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(url)
    assert "s3cret" not in "".join(traceback.format_exception_only(caught.value)) + repr(vars(caught.value))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "setting",
    [
        {"url": None},
        {"url": 9090},
        {"timeout": "5"},
        {"connect_timeout": None},
        {"timeout": True},
        {"timeout": float("nan")},
        {"retries": "4"},
        {"max_answer_bytes": 1.5},
        {"token": 3},
        {"email": b"a", "password": "b"},
    ],
)
def test_a_value_of_another_kind_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**setting)
    assert caught.value.setting in setting


def test_a_token_with_the_word_of_its_header_is_reported() -> None:
    with pytest.raises(SettingsError, match="begins with 'Bearer'"):
        Settings(token="Bearer abc")


def test_an_address_in_place_of_settings_is_an_error() -> None:
    with pytest.raises(SettingsError, match="from_url"):
        InvokeAIClient("http://127.0.0.1:9090")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "proxy",
    ["ftp://u:s3cret@proxy", "u:s3cret@proxy:3128", "http://u:s3cret/@proxy:3128", "http://", 3, "http://[s3cret"],
)
def test_a_proxy_that_cannot_be_used_is_refused_and_not_shown(proxy: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(proxy=proxy)
    assert caught.value.setting == "proxy"
    assert caught.value.__cause__ is None
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [("", "it is empty"), ("http:/x", "must be followed by ://"), ("http://host:99999", "Port out of range 0-65535")],
)
def test_a_url_that_cannot_be_used_says_why(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        Settings(url)
