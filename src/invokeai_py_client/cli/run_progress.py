"""What a person sees while a run is waited for: how far it is, the node, its step, the time left, and a preview."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from invokeai_py_client.cli.keys import state_of_terminal
from invokeai_py_client.cli.output import BAR_WIDTH, Output, printable

if TYPE_CHECKING:
    from textual_image.renderable import SixelImage, TGPImage

    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.wire.events import Event


_REFRESHES = 5
"""How often a second the display is drawn."""

_ERASE_BELOW = "\x1b[J"


@contextlib.contextmanager
def showing_progress(output: Output, wf: WorkflowHandle, *, previews: bool) -> Iterator[Callable[[Run], None]]:
    """Show the progress of a run of a workflow on stderr, if a person looks at it.

    Args:
        output: of the command.
        wf: the workflow. What it submits later is shown.
        previews: show previews too, if the terminal can.

    Yields:
        What shows a run as it is now.
    """
    if not output.is_live:
        yield lambda run: None
        return
    from rich.console import Group, RenderableType
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from invokeai_py_client.cli.previews import preview_maker
    from invokeai_py_client.wire.events import GeneratorProgress, InvocationEvent

    names = _names_of_nodes(wf)
    make_preview = preview_maker() if previews else None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR_WIDTH),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[node]}"),
    )
    task = bar.add_task("pending", total=100, node="")
    pictures: list[SixelImage | TGPImage] = []

    def take(event: Event) -> None:
        if not isinstance(event, InvocationEvent):
            return
        name = names.get(event.node_id, str(event.node.get("type", "")))
        step = ""
        if isinstance(event, GeneratorProgress):
            step = f" step {event.step}/{event.total_steps}" if event.total_steps else f" {event.message}"
            preview = None if make_preview is None else event.preview
            if make_preview is not None and preview is not None:
                pictures.append(make_preview(preview))
        bar.update(task, node=printable(name + step))

    def show(run: Run) -> None:
        bar.update(task, completed=run.progress, description=run.status)

    def shown() -> RenderableType:
        return Group(bar.get_renderable(), pictures[-1]) if pictures else bar.get_renderable()

    live = Live(get_renderable=shown, console=output.console(sys.stderr), transient=True, refresh_per_second=_REFRESHES)
    stop = wf.on_event(take)
    try:
        with state_of_terminal(live.start, live.stop):
            yield show
    finally:
        stop()
        for picture in pictures:
            picture.cleanup()
        if pictures:
            # Terminals may leave parts of a picture where lines were erased one by one.
            sys.stderr.write(_ERASE_BELOW)
            sys.stderr.flush()


def _names_of_nodes(wf: WorkflowHandle) -> Mapping[str, str]:
    return {node.id: node.label or node.type for node in wf.definition.all_nodes}
