"""A web server that answers with the status that the address names."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Answers(http.server.BaseHTTPRequestHandler):
    tells_version = False

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        if status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"<html>hello</html>" if status == 200 else b'{"detail": "because"}'
        if self.tells_version and status != 404 and self.path.endswith("/app/version"):
            status, body = 200, b'{"version": "6.14.2"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html" if body.startswith(b"<") else "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _AnswersAndTellsVersion(_Answers):
    tells_version = True


@contextmanager
def status_server(*, tells_version: bool = False) -> Iterator[str]:
    """Serve `<url>/<status>/...`, which answers with that status; 0 hangs up.

    Args:
        tells_version: whether it tells InvokeAI's version all the same, except under `<url>/404/`.
    """
    handler = _AnswersAndTellsVersion if tells_version else _Answers
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
