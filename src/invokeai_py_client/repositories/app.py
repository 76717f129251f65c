"""`client.app`: the server itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import (
    ClientClosedError,
    InvokeAIError,
    NotInvokeAIError,
    NotReadyError,
    PromptTemplateError,
    RedirectedError,
    RejectedError,
    RequestTimeout,
    ServerError,
    TransportError,
)
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.json_text import read_json
from invokeai_py_client.live.processor import CONFIRMED_AFTER, ProcessorWatch
from invokeai_py_client.repositories.schema_drift import Drift, schema_drift
from invokeai_py_client.repositories.server_version import server_version
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.settings import checked_seconds
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app, queue, utilities
from invokeai_py_client.wire.records.app import InvocationCacheStatus, RuntimeConfig

_PAUSE = 0.25
"""Seconds between two looks for a server that is to come."""

_LEAST_TRY = 0.05
"""Seconds that a look is given, however late it is."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a server is: reachable, and usable by this client; what it is not, `error` explains.

    A server whose queue processor has died is reachable, but not usable: `error` is a `ProcessorStoppedError`.

    `latency` is the seconds that the server took to answer with its version, which needs no login.
    `is_processing_started` is False while the queue is paused.
    """

    is_reachable: bool
    is_usable: bool
    version: str | None
    latency: float | None
    is_processing_started: bool | None
    error: InvokeAIError | None

    def __bool__(self) -> bool:
        return self.is_usable


class AsyncApp(FixedAttributes):
    """The server itself: `client.app`, awaited `client.aio.app`."""

    def __init__(self, engine: Engine, http: HttpTransport) -> None:
        self._engine = engine
        self._http = http

    @on_engine
    async def get_version(self) -> str:
        """The server's version, such as `6.14.2`.

        Endpoint: GET /api/v1/app/version (no token needed)

        Raises:
            TransportError: nothing can be reached at the address.
            NotInvokeAIError: something answers, but it is not an InvokeAI server.
        """
        return await server_version(self._http)

    @on_engine
    async def schema_drift(self) -> list[Drift]:
        """What this server lacks of what the client rests on, or has otherwise: routes, answers, events, nodes.

        Nothing is to be expected of the versions that the client is tested with; ask it of a new one.

        Endpoint: GET /openapi.json

        Raises:
            NotInvokeAIError: the document describes no InvokeAI server.
        """
        call = app.get_openapi()
        document = await self._http.send(call)
        try:
            return schema_drift(read_json(document))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise NotInvokeAIError(
                f"{self._http.url_of(call.path)} does not describe an InvokeAI server: {error}.",
                url=self._http.url_of(call.path),
                method=call.method,
                hint="Is this the address of an InvokeAI server, with its sub-path if it has one?",
            ) from error

    @on_engine
    async def health_check(self, timeout: float | None = None) -> Health:  # noqa: ASYNC109
        """Whether the server can be used now, and how soon it answers. It raises nothing of what it finds.

        Endpoint: GET /api/v1/app/version
        Endpoint: GET /api/v1/queue/default/status (a valid token needed)

        Args:
            timeout: seconds for all of it, retries and a login included; None for as long as requests may take.

        Raises:
            ClientClosedError: the client is closed.
            SettingsError: the timeout is not a positive number of seconds.
        """
        version: str | None = None
        latency: float | None = None
        url = self._http.settings.url
        limit = asyncio.timeout(None if timeout is None else checked_seconds("timeout", timeout))
        try:
            async with limit:
                began = time.perf_counter()
                version = await self.get_version()
                latency = time.perf_counter() - began
                status = await self._http.send(queue.get_queue_status("default"))
                processor_watch = ProcessorWatch(self._http)
                stopped = await processor_watch.check("default", status)
                if processor_watch.is_suspected("default"):
                    # Between two items that is normal for a moment.
                    await asyncio.sleep(CONFIRMED_AFTER)
                    stopped = await processor_watch.check("default")
        except ClientClosedError:
            raise
        except InvokeAIError as error:
            return Health(version is not None, False, version, latency, None, error)
        except TimeoutError:
            late = NotReadyError(
                f"{url} was not found usable within {timeout:g} s.",
                url=url,
                hint="Give a longer `timeout` if the server is just slow.",
            )
            return Health(version is not None, False, version, latency, None, late)
        return Health(True, stopped is None, version, latency, status.processor.is_started, stopped)

    @on_engine
    async def wait_until_ready(self, timeout: float = 60.0) -> str:  # noqa: ASYNC109
        """Wait until the server answers, while it starts say.

        Endpoint: GET /api/v1/app/version (no token needed)

        Args:
            timeout: seconds.

        Returns:
            Its version.

        Raises:
            NotReadyError: it did not answer for so long; it is a TransportError and a TimeoutError.
            NotInvokeAIError: something answers, but it is not an InvokeAI server.
            RedirectedError: it redirects to another server.
            AuthenticationError: something before it wants a login, likewise ForbiddenError.
            SettingsError: the timeout is not a positive number of seconds.
        """
        url = self._http.settings.url
        began = time.monotonic()
        deadline = began + checked_seconds("timeout", timeout)
        while True:
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), _LEAST_TRY)):
                    return await server_version(self._http, retries=0)
            except (NotInvokeAIError, RedirectedError):
                raise
            except (TransportError, RequestTimeout, ServerError, RejectedError, TimeoutError) as error:
                last = str(error) or "no answer"
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotReadyError(
                    f"{url} was waited for {time.monotonic() - began:.1f} s, and is not an InvokeAI server yet. "
                    f"The last time: {last}",
                    url=url,
                    method="GET",
                    hint="Give a longer `timeout` if it is still starting.",
                )
            await asyncio.sleep(min(_PAUSE, left))

    @on_engine
    async def get_dependencies(self) -> dict[str, str]:
        """The versions of what the server is made of, such as `{"torch": "2.7.1"}`.

        Endpoint: GET /api/v1/app/app_deps
        """
        return await self._http.send(app.get_dependencies())

    @on_engine
    async def get_config(self) -> RuntimeConfig:
        """The server's configuration as it runs, and which settings differ from their defaults.

        Endpoint: GET /api/v1/app/runtime_config (administrators only)
        """
        return await self._http.send(app.get_config())

    @on_engine
    async def update_config(self, changes: Mapping[str, Any]) -> RuntimeConfig:
        """Change a setting while the server runs; few can be, such as `max_queue_history`.

        Endpoint: PATCH /api/v1/app/runtime_config (administrators only, InvokeAI 6.12 or later)

        Raises:
            RejectedError: a setting cannot be changed, or not to that.
        """
        return await self._http.send(app.update_config(changes))

    @on_engine
    async def get_log_level(self) -> int:
        """From how severe on the server writes its log: 10 (debug) to 50 (critical), as in `logging`.

        Endpoint: GET /api/v1/app/logging (administrators only)
        """
        return await self._http.send(app.get_log_level())

    @on_engine
    async def set_log_level(self, level: int) -> int:
        """Choose it, until the server ends.

        Endpoint: POST /api/v1/app/logging (administrators only)

        Raises:
            RejectedError: there is no such level.
        """
        return await self._http.send(app.set_log_level(level))

    @on_engine
    async def get_invocation_cache(self) -> InvocationCacheStatus:
        """The cache of nodes' outputs: its size, hits and misses, and whether it is on.

        Endpoint: GET /api/v1/app/invocation_cache/status (administrators only)
        """
        return await self._http.send(app.get_invocation_cache())

    @on_engine
    async def enable_invocation_cache(self) -> None:
        """Use the cache of nodes' outputs again.

        Endpoint: PUT /api/v1/app/invocation_cache/enable (administrators only)
        """
        await self._http.send(app.enable_invocation_cache())

    @on_engine
    async def disable_invocation_cache(self) -> None:
        """Run every node, even one that has run with the same inputs before.

        Endpoint: PUT /api/v1/app/invocation_cache/disable (administrators only)
        """
        await self._http.send(app.disable_invocation_cache())

    @on_engine
    async def clear_invocation_cache(self) -> None:
        """Forget the outputs of nodes.

        Endpoint: DELETE /api/v1/app/invocation_cache (administrators only)
        """
        await self._http.send(app.clear_invocation_cache())

    @on_engine
    async def dynamic_prompts(
        self, prompt: str, *, max_prompts: int = 100, combinatorial: bool = True, seed: int | None = None
    ) -> list[str]:
        """The prompts that a template such as `a {red|blue} tiger` makes.

        Endpoint: POST /api/v1/utilities/dynamicprompts

        Args:
            prompt: the template.
            max_prompts: at most so many, 1..10000.
            combinatorial: all combinations, in order; else so many chosen at random.
            seed: of the choice.

        Raises:
            PromptTemplateError: the template cannot be read.
        """
        call = utilities.dynamic_prompts(prompt, max_prompts=max_prompts, combinatorial=combinatorial, seed=seed)
        result = await self._http.send(call)
        if result.error:
            raise PromptTemplateError(
                f"The template {prompt!r} cannot be read: {result.error}.", template=prompt, hint="Correct it."
            )
        return result.prompts
