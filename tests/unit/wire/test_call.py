from __future__ import annotations

import pytest

from invokeai_py_client.errors import NotInvokeAIError, UnsafePathError
from invokeai_py_client.wire.call import Response, api_path


def test_each_segment_of_a_path_is_quoted() -> None:
    assert api_path("images", "i", "ab ?#%\\.png") == "/api/v1/images/i/ab%20%3F%23%25%5C.png"
    assert api_path("queue", "default", "i", 7, "cancel") == "/api/v1/queue/default/i/7/cancel"
    assert api_path("models", version=2) == "/api/v2/models"


@pytest.mark.parametrize("segment", ["", ".", "..", "a/b", "../a", "/etc/passwd", "a\0b", "a\nb", "a\udc80b"])
def test_a_segment_that_would_change_the_route_is_refused(segment: str) -> None:
    with pytest.raises(UnsafePathError):
        api_path("images", "i", segment)


def test_an_answer_that_is_no_json_is_no_invokeai() -> None:
    response = Response("GET", "http://x/api", 200, {"content-type": "text/html"}, b"<html>")
    with pytest.raises(NotInvokeAIError, match="text/html"):
        response.json()
    assert response.text == "<html>"
