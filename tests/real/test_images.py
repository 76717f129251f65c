"""Getting the pictures, from the real server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import Image, InvokeAIClient, WorkflowDefinition, errors


@pytest.fixture
def image(client: InvokeAIClient, blur: dict[str, Any]) -> Image:
    """An image of 64 x 64 pixels that was just made."""
    run = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur)).submit_sync()
    run.result(timeout=30)
    (image,) = run.images
    return image


def test_an_image_is_saved_under_its_own_name(image: Image, tmp_path: Path) -> None:
    path = image.save(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / image.name
    with PIL.Image.open(path) as picture:
        assert picture.size == (64, 64)
    assert [p.name for p in path.parent.iterdir()] == [image.name]


def test_an_image_is_saved_under_a_name_of_ones_own(client: InvokeAIClient, image: Image, tmp_path: Path) -> None:
    path = client.image_repo.download_image(image.name, tmp_path / "mine.png")
    assert path.read_bytes() == image.bytes()
    assert client.image_repo.download_image(image.name, tmp_path).name == image.name
    path.write_bytes(b"old")
    assert image.save_as(str(path)).read_bytes() == image.bytes()


def test_an_image_in_memory(image: Image) -> None:
    assert PIL.Image.open(io.BytesIO(image.bytes())).format == "PNG"
    assert image.pil().size == (64, 64)


def test_what_the_server_knows_of_an_image(client: InvokeAIClient, image: Image) -> None:
    record = client.image_repo.get_image(image.name)
    assert (record["image_name"], record.width, record.is_intermediate) == (image.name, 64, False)
    assert record.get("nothing", "default") == "default"


def test_a_deleted_image_is_gone(client: InvokeAIClient, image: Image, tmp_path: Path) -> None:
    client.delete_image(image.name)
    with pytest.raises(errors.NotFoundError):
        client.image_repo.get_image(image.name)
    with pytest.raises(errors.NotFoundError):
        image.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


async def test_the_awaited_face(client: InvokeAIClient, image: Image, tmp_path: Path) -> None:
    assert (await client.aio.image_repo.get_image(image.name)).image_name == image.name
    path = await image.aio.save(tmp_path)
    assert path.read_bytes() == await image.aio.bytes()
    await client.aio.image_repo.delete_image(image.name)
