"""The workflow in an image's file: whole, missing, damaged, or made to exhaust memory."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

from invokeai_py_client.errors import InvokeAIError, WorkflowFileError
from invokeai_py_client.workflow.embedded import embedded_workflow


def png(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_the_text_of_the_workflow_is_returned_as_it_is() -> None:
    content = png(invokeai_workflow='{"name": "größe 🐯"}', invokeai_graph="{}")
    assert embedded_workflow(content, "a.png") == '{"name": "größe 🐯"}'


def test_an_image_without_a_workflow_is_refused_by_name() -> None:
    with pytest.raises(WorkflowFileError, match=r"a\.png does not contain") as caught:
        embedded_workflow(png(invokeai_graph="{}"), "a.png")
    assert caught.value.source == "a.png"


def jpeg() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(file, "JPEG")
    return file.getvalue()


def of_four_billion_pixels() -> bytes:
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**16, 2**16, 8, 2, 0, 0, 0))
    return png()[:8] + size + png(invokeai_workflow="{}")[33:]


def of_a_hundred_megabytes_of_text() -> bytes:
    whole = png()
    packed = zlib.compress(b" " * 100_000_000, 9)
    return whole[:33] + chunk(b"zTXt", b"invokeai_workflow\0\0" + packed) + whole[33:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        jpeg(),
        png(invokeai_workflow="{}")[:60],
        of_four_billion_pixels(),
        of_a_hundred_megabytes_of_text(),
    ],
    ids=["nothing", "text", "JPEG", "cut", "pixels", "packed text"],
)
def test_what_is_not_a_whole_png_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(WorkflowFileError, match=r"a\.png is not") as caught:
        embedded_workflow(content, "a.png")
    assert caught.value.source == "a.png"


def test_without_pillow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(invokeai_workflow="{}")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(InvokeAIError, match=r"invokeai-py-client\[images\]"):
        embedded_workflow(content, "a.png")
