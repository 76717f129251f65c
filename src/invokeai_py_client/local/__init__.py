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

from invokeai_py_client.local.running import RunningServer, running_servers
from invokeai_py_client.local.server import DEFAULT_VERSION, LocalServer

__all__ = ["DEFAULT_VERSION", "LocalServer", "RunningServer", "running_servers"]
