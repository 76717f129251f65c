"""Which servers go through the proxy that the environment names."""

from __future__ import annotations

import pytest

from invokeai_py_client import Settings
from invokeai_py_client.proxies import proxy_from_environment

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", PROXY)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9090",
        "http://127.1.2.3",
        "http://localhost:9090",
        "http://LOCALHOST",
        "http://studio.localhost",
        "http://[::1]:9090",
        "http://[::ffff:127.0.0.1]",
    ],
)
def test_loopback_goes_past_the_proxy(url: str) -> None:
    assert Settings(url).proxy is None


@pytest.mark.parametrize(
    ("excepted", "url", "goes_past"),
    [
        ("studio.example", "http://studio.example:9090", True),
        ("studio.example", "http://a.studio.example", True),
        ("studio.example", "http://mystudio.example", False),
        ("STUDIO.Example", "http://studio.example", True),
        ("studio.example.", "http://studio.example", True),
        (".studio.example", "http://a.b.studio.example", True),
        (".studio.example", "http://studio.example", True),
        (".studio.example", "http://mystudio.example", False),
        ("*.studio.example", "http://a.studio.example", True),
        ("*.studio.example", "http://studio.example.org", False),
        ("gpu-*.example", "http://gpu-7.example", True),
        ("gpu-*.example", "http://cpu-7.example", False),
        ("*", "http://anything.example", True),
        ("studio.example:9090", "http://studio.example:9090", True),
        ("studio.example:9090", "http://studio.example:9091", False),
        ("studio.example:80", "http://studio.example", True),
        ("10.0.0.0/8", "http://10.1.2.3:9090", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.1.2.3/8", "http://10.9.9.9", True),
        ("10.1.2.3", "http://10.1.2.3", True),
        ("10.1.2.3", "http://10.1.2.30", False),
        ("10.1.2.3:9090", "http://10.1.2.3:9090", True),
        ("10.1.2.3:9090", "http://10.1.2.3:1", False),
        ("192.168.*", "http://192.168.7.7", True),
        ("192.168.*", "http://192.169.7.7", False),
        ("fd00::/8", "http://[fd12::1]:9090", True),
        ("fd00::/8", "http://[fe80::1]", False),
        ("fd12::1", "http://[fd12::1]:9090", True),
        ("[fd12::1]", "http://[fd12:0::1]", True),
        ("[fd12::1]:9090", "http://[fd12::1]:9090", True),
        ("[fd12::1]:9090", "http://[fd12::1]:9091", False),
        ("a.example, 10.0.0.0/8  b.example", "http://b.example", True),
        ("a.example,10.0.0.0/8", "http://10.0.0.1", True),
        ("10.0.0.0/99,/,[,:,::::,.,*.", "http://10.0.0.1", False),
        ("10.0.0.0/99,/,[,:,::::,.", "http://studio.example", False),
        ("", "http://studio.example", False),
    ],
)
def test_no_proxy_names_hosts_networks_ports_and_patterns(
    monkeypatch: pytest.MonkeyPatch, excepted: str, url: str, goes_past: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", excepted)
    assert proxy_from_environment(url) == (None if goes_past else PROXY)


def test_an_empty_proxy_means_none() -> None:
    assert Settings("http://studio.example").proxy == PROXY
    assert Settings("http://studio.example", proxy="").proxy is None


def test_a_proxy_that_is_passed_is_taken_for_loopback_too() -> None:
    assert Settings("http://127.0.0.1:9090", proxy="http://127.0.0.1:8080").proxy == "http://127.0.0.1:8080"
