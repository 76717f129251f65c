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
from invokeai_py_client.wire.records.app import GenerationDevice, InvocationCacheStatus, RuntimeConfig

_PAUSE = 0.25
"""Seconds between two attempts to reach a server that is starting."""

_LEAST_TRY = 0.05
"""The shortest time limit of an attempt, in seconds, however close the deadline is."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a server is reachable, and usable by this client. If it is not, `error` says why.

    A server whose queue processor has stopped is reachable, but not usable: `error` is a `ProcessorStoppedError`.

    `latency` is the number of seconds that the server took to return its version, which requires no login.
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
        """Return the server's version, such as `6.14.2`.

        Endpoint: GET /api/v1/app/version (no token needed)

        Raises:
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.
        """
        return await server_version(self._http)

    @on_engine
    async def schema_drift(self) -> list[Drift]:
        """Return what the client relies on that this server lacks or has changed: routes, responses, events, nodes.

        Use this to check a new version of InvokeAI. The versions that the client is tested with have no differences.

        Endpoint: GET /openapi.json

        Raises:
            NotInvokeAIError: the document does not describe an InvokeAI server.
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
        """Check whether the server can be used, and how fast it responds. Problems are returned, not raised.

        Endpoint: GET /api/v1/app/version
        Endpoint: GET /api/v1/queue/default/status (a valid token needed)

        Args:
            timeout: seconds for the whole check, including retries and a login; None for the limits of the requests.

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
                    # The processor also reports this for a moment between two items.
                    await asyncio.sleep(CONFIRMED_AFTER)
                    stopped = await processor_watch.check("default")
        except ClientClosedError:
            raise
        except InvokeAIError as error:
            return Health(version is not None, False, version, latency, None, error)
        except TimeoutError:
            late = NotReadyError(
                f"The health check of {url} did not succeed within {timeout:g} s.",
                url=url,
                hint="Pass a longer `timeout` if the server is slow.",
            )
            return Health(version is not None, False, version, latency, None, late)
        return Health(True, stopped is None, version, latency, status.processor.is_started, stopped)

    @on_engine
    async def wait_until_ready(self, timeout: float = 60.0) -> str:  # noqa: ASYNC109
        """Wait until the server responds, for example while it is starting.

        Endpoint: GET /api/v1/app/version (no token needed)

        Args:
            timeout: seconds.

        Returns:
            The server's version.

        Raises:
            NotReadyError: the server was not ready in time. `NotReadyError` is a TransportError and a TimeoutError.
            NotInvokeAIError: the responding server is not an InvokeAI server.
            RedirectedError: the server redirects to another one.
            AuthenticationError: a proxy in front of the server requires a login; likewise ForbiddenError.
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
                last = str(error) or "no response."
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotReadyError(
                    f"No InvokeAI server was ready at {url} within {time.monotonic() - began:.1f} s. "
                    f"The last attempt: {last}",
                    url=url,
                    method="GET",
                    hint="Pass a longer `timeout` if the server is still starting.",
                )
            await asyncio.sleep(min(_PAUSE, left))

    @on_engine
    async def get_dependencies(self) -> dict[str, str]:
        """Return the versions of the server's dependencies, such as `{"torch": "2.7.1"}`.

        Endpoint: GET /api/v1/app/app_deps
        """
        return await self._http.send(app.get_dependencies())

    @on_engine
    async def get_config(self) -> RuntimeConfig:
        """Return the server's current configuration, and which settings differ from their defaults.

        Endpoint: GET /api/v1/app/runtime_config (administrators only)
        """
        return await self._http.send(app.get_config())

    @on_engine
    async def update_config(self, changes: Mapping[str, Any]) -> RuntimeConfig:
        """Change settings of the running server. Only a few can be changed, such as `max_queue_history`.

        Endpoint: PATCH /api/v1/app/runtime_config (administrators only, InvokeAI 6.12 or later)

        Raises:
            RejectedError: a setting cannot be changed, or does not accept the value.
        """
        return await self._http.send(app.update_config(changes))

    @on_engine
    async def list_generation_devices(self) -> list[GenerationDevice]:
        """Return the devices that the server can generate on.

        `generation_devices` in the server's configuration says which of them it uses, `auto` for all.

        Endpoint: GET /api/v1/app/generation_device_options (InvokeAI 6.14 or later)
        """
        return await self._http.send(app.list_generation_devices())

    @on_engine
    async def get_log_level(self) -> int:
        """Return the level of the server's log, from 10 (debug) to 50 (critical), as in `logging`.

        Endpoint: GET /api/v1/app/logging (administrators only)
        """
        return await self._http.send(app.get_log_level())

    @on_engine
    async def set_log_level(self, level: int) -> int:
        """Set the level of the server's log until the server is restarted.

        Endpoint: POST /api/v1/app/logging (administrators only)

        Raises:
            RejectedError: the level does not exist.
        """
        return await self._http.send(app.set_log_level(level))

    @on_engine
    async def get_invocation_cache(self) -> InvocationCacheStatus:
        """Return the status of the cache of node outputs: its size, hits and misses, and whether it is enabled.

        Endpoint: GET /api/v1/app/invocation_cache/status (administrators only)
        """
        return await self._http.send(app.get_invocation_cache())

    @on_engine
    async def enable_invocation_cache(self) -> None:
        """Enable the cache of node outputs.

        Endpoint: PUT /api/v1/app/invocation_cache/enable (administrators only)
        """
        await self._http.send(app.enable_invocation_cache())

    @on_engine
    async def disable_invocation_cache(self) -> None:
        """Disable the cache of node outputs: every node runs, even if it has run with the same inputs before.

        Endpoint: PUT /api/v1/app/invocation_cache/disable (administrators only)
        """
        await self._http.send(app.disable_invocation_cache())

    @on_engine
    async def clear_invocation_cache(self) -> None:
        """Clear the cache of node outputs.

        Endpoint: DELETE /api/v1/app/invocation_cache (administrators only)
        """
        await self._http.send(app.clear_invocation_cache())

    @on_engine
    async def dynamic_prompts(
        self, prompt: str, *, max_prompts: int = 100, combinatorial: bool = True, seed: int | None = None
    ) -> list[str]:
        """Return the prompts that a template such as `a {red|blue} tiger` expands to.

        Endpoint: POST /api/v1/utilities/dynamicprompts

        Args:
            prompt: the template.
            max_prompts: the maximum number of prompts, from 1 to 10,000.
            combinatorial: return the combinations in order; otherwise choose `max_prompts` of them at random.
            seed: the random seed of the choice.

        Raises:
            PromptTemplateError: the template cannot be parsed.
        """
        call = utilities.dynamic_prompts(prompt, max_prompts=max_prompts, combinatorial=combinatorial, seed=seed)
        result = await self._http.send(call)
        if result.error:
            raise PromptTemplateError(
                f"The template {prompt!r} cannot be parsed: {result.error}.", template=prompt, hint="Fix the syntax."
            )
        return result.prompts
