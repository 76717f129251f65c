"""A real InvokeAI server of one's own, for demos and tests: installed, started and stopped from Python.

```
from invokeai_py_client.local import LocalServer

with LocalServer() as server:
    server.install_tiny_model()
    print(server.url)
```

A server that is started with `start(detached=True)` goes on when the program ends; `running_servers()` finds it.

It needs the extra `local` (`pip install "invokeai-py-client[local]"`) and about 7 GB of disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client.local.running import RunningServer, running_servers

if TYPE_CHECKING:
    from invokeai_py_client.local.server import DEFAULT_VERSION, LocalServer

__all__ = ["DEFAULT_VERSION", "LocalServer", "RunningServer", "running_servers"]


def __getattr__(name: str) -> object:
    # Every command looks for running servers, and few start one.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from invokeai_py_client.local import server

    value: object = getattr(server, name)
    return value
