"""Forks servers: `python -P server_forker.py LISTENER`, run by the Python of a server's environment.

Two thirds of the CPU time of a server's start go to imports of libraries. This process imports the largest ones, and
each server of the tests is a fork of it, which goes on as launcher.py does. A server reads its settings, makes its
threads and opens its files itself, and it can be killed by its own process id.

It ends when its standard input is closed, and its servers end with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from typing import Any

LIBRARIES = (
    "torch",
    "diffusers.models.modeling_utils",
    "diffusers.pipelines.pipeline_utils",
    "mediapipe",
    "fastapi",
    "dynamicprompts.generators",
    "compel.embeddings_provider",
    "spandrel",
    "onnx",
    "socketio",
)
"""What takes longest to import of that which does not look at the server's settings, and starts no threads."""


def become_a_server(request: dict[str, Any], log: int) -> None:
    """Do what a new process would do that runs the command of the request."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, file in enumerate((nothing, log, log)):
        os.dup2(file, descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "numpy" in sys.modules:
        # After a fork, Python does this for `random` alone.
        sys.modules["numpy"].random.seed()
    sys.argv = [request["launcher"], str(os.getppid()), *request["program"]]
    runpy.run_path(sys.argv[0], run_name="__main__")


def main(descriptor: int) -> None:
    """Fork a server for each request that comes to the socket, until there is no more to come."""
    with socket.socket(fileno=descriptor) as listener:
        for name in LIBRARIES:
            # Older servers do not have all of them.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.collect()
        # No server's collections go through what is imported here, so it stays in memory that all share.
        gc.freeze()
        # The system forgets a server that has ended.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                message, (log,), _, _ = socket.recv_fds(connection, 1 << 20, 1)
                server = os.fork()
                if server == 0:
                    listener.close()
                    connection.close()
                    become_a_server(json.loads(message), log)
                    return
                os.close(log)
                handle = os.pidfd_open(server)
                socket.send_fds(connection, [str(server).encode()], [handle])
                os.close(handle)


if __name__ == "__main__":
    main(int(sys.argv[1]))
