from __future__ import annotations

import pytest

from invokeai_py_client.errors import NotInvokeAIError, ServerError, UnsafePathError
from invokeai_py_client.wire.call import Call, Response, api_path
from invokeai_py_client.wire.calls import images, models, videos, workflows


def test_each_segment_of_a_path_is_quoted() -> None:
    assert api_path("images", "i", "ab ?#%\\.png") == "/api/v1/images/i/ab%20%3F%23%25%5C.png"
    assert api_path("queue", "default", "i", 7, "cancel") == "/api/v1/queue/default/i/7/cancel"
    assert api_path("models", version=2) == "/api/v2/models"


@pytest.mark.parametrize("segment", ["", ".", "..", "a/b", "../a", "/etc/passwd", "a\0b", "a\nb", "a\udc80b"])
def test_a_segment_that_would_change_the_route_is_refused(segment: str) -> None:
    with pytest.raises(UnsafePathError):
        api_path("images", "i", segment)


def test_a_web_page_is_not_an_invokeai_server() -> None:
    response = Response("GET", "http://x/api", 200, {"content-type": "text/html; charset=utf-8"}, b"<html>")
    with pytest.raises(NotInvokeAIError, match=r"text/html.*Check that this is the address"):
        response.json()
    assert response.text == "<html>"


@pytest.mark.parametrize("kind", ["image/png", "text/plain", None])
@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"[" * 100_000])
def test_what_is_not_json_is_reported(kind: str | None, content: bytes) -> None:
    headers = {} if kind is None else {"content-type": kind}
    with pytest.raises(ServerError, match=rf"200 with {kind or 'no content type'} instead of JSON") as caught:
        Response("GET", "http://x/api", 200, headers, content).json()
    assert "InvokeAI" not in str(caught.value)


def test_the_headers_of_an_answer_are_not_shown() -> None:
    assert "s3cret" not in repr(Response("GET", "http://x/api", 200, {"X-Refreshed-Token": "s3cret"}, b""))


FILES = {
    "image": images.get_image_bytes("a"),
    "thumbnail of an image": images.get_thumbnail("a"),
    "zip of images": images.get_bulk_download("a"),
    "video": videos.get_video_bytes("a"),
    "thumbnail of a video": videos.get_thumbnail("a"),
    "cover image of a model": models.get_cover_image("a"),
    "thumbnail of a workflow": workflows.get_thumbnail("a"),
}


@pytest.mark.parametrize("call", FILES.values(), ids=FILES)
def test_neither_a_web_page_nor_an_empty_body_is_a_file(call: Call[bytes]) -> None:
    with pytest.raises(NotInvokeAIError, match="instead of a file"):
        call.parse(Response("GET", "http://x/api", 200, {"content-type": "text/html"}, b"<html>"))
    with pytest.raises(ServerError, match="an empty file"):
        call.parse(Response("GET", "http://x/api", 200, {}, b""))
    assert call.parse(Response("GET", "http://x/api", 200, {"content-type": "image/webp"}, b"RIFF")) == b"RIFF"
