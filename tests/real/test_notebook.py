"""Notebooks in real kernels: the example, live displays, and what interrupting a kernel does."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from PIL import Image

from invokeai_py_client.local import LocalServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "notebook.ipynb"

Output = dict[str, Any]


def pixels(content: str | bytes) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    image.load()
    return image


def embedded(html: str) -> list[Image.Image]:
    """Return the images that are in a page itself."""
    return [pixels(content) for content in re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)]


def is_a_picture(image: Image.Image) -> bool:
    """Return whether an image has more than one colour."""
    return any(low < high for low, high in image.convert("RGB").getextrema())  # type: ignore[misc]


def test_the_example_runs_and_shows_its_images(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    notebook = nbformat.read(EXAMPLE, as_version=4)  # type: ignore[no-untyped-call]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in notebook.cells if "outputs" in cell)
    (values,) = (cell for cell in notebook.cells if "512" in cell.source)
    # For the tiny model on a processor.
    values.source = values.source.replace("512", "64").replace('"steps"): 12', '"steps"): 4')
    assert '"steps"): 4' in values.source
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in outputs} <= {"execute_result", "display_data"}, "nothing was printed"
    version, inputs, run, image, plan, batch, sheet = (output.data for output in outputs)
    assert server.version in version["text/plain"]
    assert "Positive Prompt" in inputs["text/html"]
    assert "completed" in run["text/html"]
    assert [(one.size, is_a_picture(one)) for one in embedded(run["text/html"])] == [((64, 64), True)]
    assert (pixels(image["image/png"]).size, is_a_picture(pixels(image["image/png"]))) == ((64, 64), True)
    assert "a tiger cub in the snow · an owl at night · a fox in the rain" in plan["text/html"]
    assert "100 % of 6 rows · 6 completed" in batch["text/html"]
    assert [(one.size, is_a_picture(one)) for one in embedded(batch["text/html"])] == [((64, 64), True)] * 6
    with Image.open(tmp_path / "sweep" / "contact_sheet.png") as written:
        shown = pixels(sheet["image/png"])
        assert (shown.size, shown.tobytes()) == (written.size, written.tobytes())
        assert shown.width > 3 * 64
        assert shown.height > 2 * 64


class Kernel:
    """A kernel, and the messages that its cells publish."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def begin(self, code: str) -> Iterator[Output]:
        """Run a cell; yield the messages that it publishes, one after another, until it has ended."""
        sent = self._client.execute(code, stop_on_error=False)
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == sent:
                if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    return
                yield {"type": message["msg_type"], **message["content"]}

    def run(self, code: str) -> list[Output]:
        """Run a cell that raises nothing."""
        outputs = [*self.begin(code)]
        assert [one for one in outputs if one["type"] == "error"] == []
        return outputs

    def value(self, expression: str) -> Any:
        """Return what an expression is in the kernel."""
        (result,) = (
            one for one in self.run(f"import json; json.dumps({expression})") if one["type"] == "execute_result"
        )
        return json.loads(result["data"]["text/plain"].strip("'"))

    def interrupted(self, code: str, when: str, *, raises: str = "KeyboardInterrupt") -> list[Output]:
        """Run a cell, and interrupt the kernel as soon as an output has some text."""
        outputs = []
        is_interrupted = False
        for output in self.begin(code):
            outputs.append(output)
            if not is_interrupted and when in output.get("text", output.get("data", {}).get("text/html", "")):
                is_interrupted = True
                self._manager.interrupt_kernel()
        assert is_interrupted
        assert [one["ename"] for one in outputs if one["type"] == "error"] == [raises]
        return outputs


@pytest.fixture(scope="module")
def kernel(server: LocalServer) -> Iterator[Kernel]:
    """A kernel with a client of the server, and a workflow `wf` that takes its time."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        kernel = Kernel(manager, client)
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def workflow(kernel: Kernel, server: LocalServer, sleep: dict[str, Any]) -> None:
    kernel.run(f"""
        from invokeai_py_client import InvokeAIClient, WorkflowDefinition
        client = InvokeAIClient.from_url({server.url!r})
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict({sleep!r}))
        wf.set_many({{"Steps": 20, "Seconds": 1.0}})
    """)


def displayed(outputs: list[Output]) -> list[str]:
    """Return the states of the one output that a cell has updated."""
    shown = [one for one in outputs if one["type"] in ("display_data", "update_display_data")]
    assert [one["type"] for one in shown] == ["display_data", *["update_display_data"] * (len(shown) - 1)]
    assert len({one["transient"]["display_id"] for one in shown}) == 1
    return [one["data"]["text/html"] for one in shown]


@pytest.mark.usefixtures("workflow")
@pytest.mark.parametrize("call", ["wf.submit_sync().display()", "await (await wf.aio.submit()).display()"])
def test_blocking_and_awaited_displays_work_while_the_loop_of_the_kernel_runs(kernel: Kernel, call: str) -> None:
    states = displayed(kernel.run(f"import asyncio; asyncio.get_running_loop(); {call}"))
    assert any("in progress" in state and "Sleeping" in state and " of 20" in state for state in states)
    assert "completed" in states[-1]
    assert "in progress" not in states[-1]
    assert len(states) < 25, "no more than ten a second"


@pytest.mark.usefixtures("workflow")
def test_interrupting_a_display_leaves_the_run(kernel: Kernel) -> None:
    kernel.run("wf.inputs['Seconds'].value = 20.0; run = wf.submit_sync()")
    began = time.monotonic()
    outputs = kernel.interrupted("run.display()", when="Sleeping")
    assert time.monotonic() - began < 15
    assert "No longer updated. The run continues." in displayed(outputs)[-1]
    assert kernel.value("run.status") == "in_progress"
    kernel.run("run.cancel()")
    assert kernel.value("run.wait(30).status") == "canceled"


@pytest.mark.usefixtures("workflow")
def test_interrupting_a_wait_leaves_the_run_and_interrupting_a_submission_withdraws_it(kernel: Kernel) -> None:
    kernel.run("wf.inputs['Seconds'].value = 20.0; runs = [wf.submit_sync(), wf.submit_sync()]")
    kernel.interrupted("print('waiting', flush=True); runs[0].wait()", when="waiting")
    # It is held back while the second one is pending.
    kernel.interrupted("print('waiting', flush=True); wf.submit_sync(priority='low')", when="waiting")
    kernel.run("counts = client.queue.get_status().queue")
    assert kernel.value("counts.pending + counts.in_progress") == 2
    kernel.run("for run in reversed(runs): run.cancel()")
    assert kernel.value("[run.wait(30).status for run in runs]") == ["canceled", "canceled"]


@pytest.mark.usefixtures("workflow")
def test_interrupting_an_awaited_display_leaves_the_run(kernel: Kernel) -> None:
    kernel.run("wf.inputs['Seconds'].value = 20.0; run = await wf.aio.submit()")
    # IPython cancels the task of a cell that awaits.
    outputs = kernel.interrupted("await run.display()", when="Sleeping", raises="CancelledError")
    assert "No longer updated. The run continues." in displayed(outputs)[-1]
    assert kernel.value("run.status") == "in_progress"
    kernel.run("await run.cancel()")
    assert kernel.value("(await run.wait(30)).status") == "canceled"


@pytest.mark.usefixtures("workflow")
def test_interrupting_the_display_of_a_batch_stops_its_sending(kernel: Kernel) -> None:
    kernel.run("""
        batch = wf.plan({"Seconds": [0.3 + n / 1000 for n in range(6)]}).submit(window=2)
    """)
    outputs = kernel.interrupted("batch.display()", when="1 completed")
    assert "batch.resume() sends the others" in displayed(outputs)[-1]
    kernel.run("client.queue.wait_until_idle(timeout=30)")
    counts = kernel.value("dict(batch.counts)")
    assert counts["pending"] > 0
    assert counts["completed"] + counts["pending"] == 6
    kernel.run("batch.resume()")
    assert "100 % of 6 rows · 6 completed" in displayed(kernel.run("batch.display()"))[-1]


@pytest.mark.usefixtures("workflow")
def test_the_previews_of_a_run_are_shown(kernel: Kernel) -> None:
    kernel.run("""
        wf = client.workflow_repo.create_workflow(client.workflow_repo.download_workflow("Text to Image - SD1.5"))
        wf.sync_dnn_model()
        wf.set_many({"Width": 64, "Height": 64, ("denoise_latents", "steps"): 10})
    """)
    states = displayed(kernel.run("wf.submit_sync().display()"))
    running = [state for state in states if "in progress" in state]
    assert any(is_a_picture(preview) for state in running for preview in embedded(state))
    assert "images[0]" in states[-1]
