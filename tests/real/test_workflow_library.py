"""The server's workflow library, and the workflows in its images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, errors

DEMO = Path(__file__).parents[2] / "docs" / "demo.png"

SEEN_BY = ("anyone", "a user")


def named(document: dict[str, Any], name: str, tags: str = "") -> WorkflowDefinition:
    return WorkflowDefinition.from_dict({**document, "name": name, "tags": tags})


def test_a_workflow_is_put_in_found_changed_run_and_deleted(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    library = client.workflow_repo
    workflow_id = library.upload_workflow(named(blur, "Blur me", "soft, mine"))
    assert [w.name for w in library.list_available_workflows(category="user")] == ["Blur me"]
    assert [w.workflow_id for w in library.list_available_workflows("Blur m")] == [workflow_id]
    assert {"soft", "mine"} <= set(library.list_tags())
    assert [w.workflow_id for w in library.list_available_workflows(tags=["soft"])] == [workflow_id]
    assert library.create_workflow("Blur me").submit_sync().result(timeout=30).status == "completed"
    assert library.create_workflow(workflow_id).definition.name == "Blur me"
    assert library.update_workflow(workflow_id, named(blur, "Blur you")) == workflow_id
    assert library.download_workflow(workflow_id).name == "Blur you"
    assert library.upload_workflow(named(blur, "Blur you", "again"), overwrite=True) == workflow_id
    assert library.download_workflow("blur you").to_dict()["tags"] == "again"
    assert library.delete_workflow(workflow_id)
    assert library.list_available_workflows(category="user") == []
    with pytest.raises(errors.NotFoundError):
        library.delete_workflow(workflow_id)


def test_what_is_not_a_workflow_is_reported(client: InvokeAIClient, blur: dict[str, Any], tmp_path: Path) -> None:
    library = client.workflow_repo
    asks: list[Callable[[Any], object]] = [
        library.create_workflow,
        library.upload_workflow,
        lambda what: library.update_workflow("x", what),
    ]
    for ask in asks:
        for what in (blur, tmp_path):
            with pytest.raises(TypeError, match="from_file"):
                ask(what)


def test_a_workflow_from_a_file(client: InvokeAIClient, blur: dict[str, Any], tmp_path: Path) -> None:
    path = named(blur, "from a file").save(tmp_path / "blur.json")
    assert client.workflow_repo.create_workflow_from_file(path).submit_sync().wait(30).status == "completed"
    assert "img_blur" in client.workflow_repo.get_templates()


def test_what_came_with_the_server_can_be_copied_but_not_changed(client: InvokeAIClient) -> None:
    library = client.workflow_repo
    definition = library.download_workflow("Text to Image - SD1.5")
    own = library.upload_workflow(definition)
    both = [w for w in library.list_available_workflows() if w.name == definition.name]
    assert {w.category for w in both} == {"user", "default"}
    with pytest.raises(errors.AmbiguousNameError, match="2 workflows") as caught:
        library.create_workflow(definition.name)
    assert set(caught.value.choices) == {w.workflow_id for w in both}
    default = next(w for w in both if w.category == "default")
    with pytest.raises(errors.RejectedError, match="is included with the server"):
        library.delete_workflow(default.workflow_id)
    with pytest.raises(errors.RejectedError, match="is included with the server"):
        library.update_workflow(default.workflow_id, definition)
    library.delete_workflow(own)


def test_a_name_that_the_library_lacks_is_reported_with_the_nearest(client: InvokeAIClient) -> None:
    with pytest.raises(errors.NotFoundError, match=r"Did you mean 'Text to Image - SD1\.5'"):
        client.workflow_repo.create_workflow("Text to Image - SD15")


def test_a_workflow_has_a_thumbnail(client: InvokeAIClient, blur: dict[str, Any]) -> None:
    library = client.workflow_repo
    workflow_id = library.upload_workflow(named(blur, "With a picture"))
    try:
        with pytest.raises(errors.NotFoundError):
            library.get_thumbnail(workflow_id)
        library.set_thumbnail(workflow_id, DEMO)
        assert library.get_thumbnail(workflow_id)[8:12] == b"WEBP"
        library.delete_thumbnail(workflow_id)
        for ask in (library.get_thumbnail, library.delete_thumbnail):
            with pytest.raises(errors.NotFoundError, match="no picture"):
                ask(workflow_id)
        with pytest.raises(errors.NotAnImageError, match="test_workflow_library"):
            library.set_thumbnail(workflow_id, __file__)
    finally:
        library.delete_workflow(workflow_id)


def test_the_workflow_that_made_an_image_runs_again(
    client: InvokeAIClient, blur: dict[str, Any], tmp_path: Path
) -> None:
    wf = client.workflow_repo.create_workflow_from_dict(blur)
    wf.inputs["Width"].value = 128
    run = wf.submit_sync()
    run.result(timeout=30)
    (image,) = run.images
    path = image.save(tmp_path)
    for definition in (
        WorkflowDefinition.from_image(path),
        WorkflowDefinition.from_image(path.read_bytes()),
        WorkflowDefinition.from_image(image.name, client),
    ):
        again = client.workflow_repo.create_workflow(definition)
        assert again.inputs["Width"].value == 128
        assert again._build_submission()["batch"]["graph"] == wf._build_submission()["batch"]["graph"]


def test_an_image_without_a_workflow_is_reported(client: InvokeAIClient, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    PIL.Image.new("RGB", (8, 8)).save(plain)
    with pytest.raises(errors.WorkflowFileError, match="does not contain a workflow"):
        WorkflowDefinition.from_image(plain)
    with pytest.raises(errors.WorkflowFileError, match="not a complete PNG"):
        WorkflowDefinition.from_image(DEMO.read_bytes()[:500])
    with pytest.raises(errors.WorkflowFileError, match="not a complete PNG"):
        WorkflowDefinition.from_image(__file__)
    with pytest.raises(errors.WorkflowFileError, match="cannot be read"):
        WorkflowDefinition.from_image("no-such-file.png")
    with pytest.raises(errors.NotFoundError):
        WorkflowDefinition.from_image("no-such-image.png", client)
    with pytest.raises(errors.WorkflowFileError, match="has no workflow"):
        WorkflowDefinition.from_image(client.image_repo.upload_image(plain).image_name, client)
