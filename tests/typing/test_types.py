"""Types are exact for users: right code checks, and wrong code fails to, in both type checkers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.type_checkers import Checker, mypy_errors, pyright_errors

RIGHT = """
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type
from invokeai_py_client import (
    AsyncBoard, AsyncImage, AsyncRun, AsyncWorkflowHandle, Board, Event, EventStream, GeneratorProgress, Image,
    ImageRecord, InstallJob, InvokeAIClient, ModelChange, ModelRecord, OutputMapping, Plan, Preview, QueueItem,
    QueuePosition, Run, TransferFailure, TransferReport, VideoRecord, WorkflowDefinition, WorkflowHandle, errors,
    execute_with_recovery, replace
)

def use(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("a.json"))
    assert_type(wf, WorkflowHandle)
    values: dict[str, int] = {"Width": 64}
    wf.set_many(values)
    wf.set_many({0: "a", ("node", "width"): 64})
    assert "Steps" in wf.inputs and ("node", "width") in wf.inputs and "node" in wf.nodes and wf.inputs[0] in wf.inputs
    by_index_or_label: dict[int | str, object] = {0: "a", "Width": 64}
    wf.set_many(by_index_or_label)
    by_label_or_place: dict[str | tuple[str, str], int] = {"Width": 64, ("node", "width"): 64}
    wf.set_many(by_label_or_place)
    execute_with_recovery(wf, [values, by_label_or_place, {"Width": 64}, {0: "a", ("node", "width"): 64}])
    assert_type(WorkflowDefinition.from_image("tiger.png", client), WorkflowDefinition)
    assert_type(wf.sync_dnn_model()[:1], tuple[ModelChange, ...])
    assert_type(wf.submit_sync(), Run)
    result = wf.wait_for_completion_sync(timeout=3, progress_callback=lambda item: print(item.status))
    assert_type(result, QueueItem)
    assert_type(wf.map_outputs_to_images(result), list[OutputMapping])
    assert_type(client.image_repo.get_image("a"), Image)
    assert_type(client.image_repo.get_image("a").record, ImageRecord | None)
    assert_type(client.image_repo.list_images()[0].save("a"), Path)
    assert_type(client.image_repo.download_image("a", Path("b")), Path)
    assert_type(client.dnn_model_repo.list_models(), list[ModelRecord])
    assert_type(wf.submit_sync().images[0].bytes(), bytes)
    assert_type(client.run(3), Run)
    assert_type(client.run(batch_id="b"), Run)
    assert_type(client.runs(["a", "b"], destination="d", origin="o"), dict[str, Run])
    assert_type(wf.submit_sync(batch_id="b", destination="d", origin="o").batch_id, str)
    assert_type(wf.submit_sync(seed=7), Run)
    plan = wf.plan({"A": range(3), 1: ["a"], ("node", "b"): (n for n in [1]), ("C", "D"): [(1, 2)]}, seeds=[1, 2])
    assert_type(plan, Plan)
    assert_type([row.seed for row in plan], list[int | None])
    rows: list[dict[str, object]] = [{"A": 1}]
    wf.plan(rows, combine="zip", seeds="random", random_seed=1, on_bad_row="skip")
    wf.plan(Path("rows.csv"), sample=5, dynamic_prompts="all", wildcards="words")
    wf.plan({"animal": replace("Prompt", "cat", ["dog"])})
    columns: dict[str, list[int]] = {"A": [1]}
    wf.plan(columns)
    wf.plan({"A": Path("lines.txt"), "Image": "photos/*.png"})
    by_index: list[dict[int, int]] = [{0: 1}]
    wf.plan(by_index)
    assert_type(client.load_plan(plan.save("a.json")).axes[0].name, str)
    try:
        wf.submit_sync()
    except errors.EnqueueInDoubtError as error:
        assert_type(error.batch_id, str)
    except errors.InvokeAIError as error:
        assert_type(error.batch_id, str | None)
        assert_type(error.is_transient and not error.may_have_been_applied, bool)
    assert_type(wf.on_event(lambda event: print(event.type), types={"session_complete"}), Callable[[], None])
    for image in client.image_repo.list_images(board="a", starred=True):
        assert_type(image, Image)
    report = client.image_repo.download_many(["a"], "b", progress_callback=lambda done: print(done.finished))
    assert_type(report, TransferReport[Path])
    made, images = wf.submit_sync().images[0], client.image_repo.list_images()
    assert_type(client.image_repo.get_image(made).width, int)
    assert_type(client.image_repo.get_urls(client.image_repo.get_image("a")).image_url, str)
    assert_type(client.image_repo.delete_images(images), list[str])
    assert_type(client.image_repo.star_image(one.image_name for one in images), list[str])
    assert_type(client.image_repo.download_many([made, "a"], "b").done, list[Path])
    assert_type(client.image_repo.download_zip("a.zip", image_names=made), Path)
    assert_type(client.image_repo.upload_many(Path("a.png")).done, list[Image])
    assert_type(client.image_repo.upload_many([b"a", "b", Path("c").open("rb")]).done, list[Image])
    assert_type(client.video_repo.download_many(client.video_repo.list_videos(), "b").failed, list[TransferFailure])
    assert_type(client.video_repo.upload_video(b"a"), VideoRecord)
    board = client.board_repo.get_board_handle("a")
    assert_type(board, Board)
    assert_type(client.dnn_model_repo.list_install_jobs(), list[InstallJob])
    assert_type(wf.submit_sync().stream(), EventStream)
    assert_type(wf.submit_sync().images[0], Image)
    assert_type(board.add_images(images), list[str])
    assert_type(board.upload_image(b"").width, int)
    assert_type(board.download("a").failed, list[TransferFailure])
    assert_type(client.dnn_model_repo.install_model("a").wait_until(3), ModelRecord)
    assert_type(client.queue.get_status().queue_pending_count, int)
    assert_type(client.queue.get_position(3).estimated_time, float | None)
    assert_type(client.queue_repo.get_queue("other").wait_until_idle(), bool)
    assert_type(client.queue.clear().deleted, int)
    assert_type(client.queue.cancel_all_except_current()["canceled"], Any)
    wf.submit_sync(priority=None)
    assert_type(client.request("GET", "/api/v2/models/").json(), Any)
    for event in wf.stream_events_sync():
        assert_type(event, Event)
        if isinstance(event, GeneratorProgress):
            assert_type(event.progress_percentage, float | None)
            assert_type(event.preview, Preview | None)

async def use_awaited(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_json("{}"))
    assert_type(await wf.submit(), Run)
    assert_type(await wf.wait_for_completion(timeout=3), QueueItem)
    async for event in wf.stream_events():
        assert_type(event, Event)
        if isinstance(event, GeneratorProgress):
            print(f"{event.step}/{event.total_steps}")
    await wf.aio.cancel()
    aio = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_json("{}"))
    assert_type(aio, AsyncWorkflowHandle)
    assert_type(wf.aio, AsyncWorkflowHandle)
    run = await aio.submit(batch_id="b")
    assert_type(run, AsyncRun)
    assert_type(await run.wait(3, progress_callback=lambda item: print(item.status)), QueueItem)
    assert_type(run.images[0], AsyncImage)
    assert_type(await run.images[0].save("a"), Path)
    assert_type(await client.aio.run(3), AsyncRun)
    assert_type(await client.aio.runs(origin="o"), dict[str, AsyncRun])
    assert_type(await client.aio.board_repo.get_board_handle("a"), AsyncBoard)
    assert_type(await wf.submit(batch_id="b", destination="d", origin="o"), Run)
    async for event in wf.submit_sync_monitor_async(batch_id="b", destination="d"):
        assert_type(event, Event)
    async for image in client.aio.image_repo.list_images():
        assert_type(image, AsyncImage)
    awaited = client.aio.image_repo
    assert_type(await awaited.delete_images(one async for one in awaited.list_images() if one.width > 8), list[str])
    board = await client.aio.board_repo.get_board_handle("a")
    assert_type((await board.upload(["a"])).done, list[AsyncImage])
    assert_type(await (await client.aio.dnn_model_repo.install_model("a")).wait_until(3), ModelRecord)
    assert_type(await client.aio.image_repo.upload_image(b"", board=board), AsyncImage)
    assert_type(await client.aio.queue.get_position(3), QueuePosition)
    assert_type(await client.aio.image_repo.get_image("a"), AsyncImage)
"""

HEAD = """
from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle
def use(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    """

WRONG = [
    "client.image_repo.get_image(3)",
    "client.image_repo.get_image()",
    "client.image_repo.get_image('a', board='b')",
    "client.image_repo.download('a')",
    "client.image_repo.list_images(starred='yes')",
    "client.image_repo.list_images(categories=['pictures'])",
    "client.image_repo.upload_image(3)",
    "client.image_repo.delete_images([3])",
    "client.image_repo.download_many([None], 'b')",
    "client.image_repo.get_image(client.video_repo.get_video('a'))",
    "client.image_repo.upload_many([3])",
    "client.video_repo.star_videos(client.image_repo.list_images())",
    "client.video_repo.list_videos(origin='mine')",
    "client.image_repo.download_many(['a'])",
    "client.image_repo.download_many(['a'], 'b', progress_callback=lambda: None)",
    "client.board_repo.update_board('a', visibility='open')",
    "client.board_repo.get_board_handle('a').upload()",
    "client.queue.get_position('3')",
    "client.queue.get_status().pending",
    "client.dnn_model_repo.install_model('a').wait_until('3')",
    "client.auth.login('a')",
    "wf.submit_sync(priority='soon')",
    "wf.submit_sync(seed='7')",
    "wf.plan(7)",
    "wf.plan({'A': [1]}, seeds=1.5)",
    "wf.plan({'A': [1]}, combine='sum')",
    "wf.plan({'A': [1]}, seeds='some')",
    "wf.plan({'A': [1]})[0].sed",
    "client.workflow_repo.create_workflow(3)",
    "wf.wait_for_completion_sync(timeout='3')",
    "wf.wait_for_completion_sync(progress_callback=lambda: None)",
    "wf.submit_sync(7)",
    "length: int = client.image_repo.get_image('a').image_name",
    "wf.wait_for_completion_sync().staus",
    "client.aio.image_repo.get_image('a').image_name",
    "InvokeAIClient.from_url(9090)",
    "wf.set_many({3.5: 1})",
    "wf.sync_dnn_model()[0].modle",
    "wf.inputs.Steps = 1",
    "wf.Steps = 1",
    "wf.inputs[0].field.valeu = 1",
    "client.tiemout = 1",
    "wf.on_event(lambda: None)",
    "wf.stream_events(3)",
    "wf.submit_sync(on_server_loss='retry')",
    "wf.submit_sync(batch_id=3)",
    "wf.submit_sync(destination=None)",
    "client.runs(3)",
    "client.runs(['a'])[0]",
    "for event in wf.stream_events_sync(): event.staus",
]


@pytest.mark.parametrize("errors_of", [mypy_errors, pyright_errors], ids=["mypy", "pyright"])
def test_right_code_checks_and_wrong_code_does_not(errors_of: Checker, tmp_path: Path) -> None:
    files = {"right.py": RIGHT, **{f"wrong_{n}.py": f"{HEAD}{line}\n" for n, line in enumerate(WRONG)}}
    found = errors_of(tmp_path, files)
    assert found.pop("right.py") == []
    passed = [WRONG[int(name.removesuffix(".py").split("_")[1])] for name, messages in found.items() if not messages]
    assert passed == []
