# Generated from repositories/app.py by scripts/generate_blocking.py. Do not edit.
"""`App`: the methods of `AsyncApp`, blocking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.repositories.app import AsyncApp, Health
from invokeai_py_client.repositories.schema_drift import Drift
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire.records.app import GenerationDevice, InvocationCacheStatus, RuntimeConfig


class App(Blocking[AsyncApp]):
    """The server itself: `client.app`, awaited `client.aio.app`."""

    def get_version(self) -> str:
        """Return the server's version, such as `6.14.2`.

        Endpoint: GET /api/v1/app/version (no token needed)

        Raises:
            TransportError: the server cannot be reached.
            NotInvokeAIError: the responding server is not an InvokeAI server.
        """
        return self._aio._engine.block(self._aio.get_version())

    def schema_drift(self) -> list[Drift]:
        """Return what the client relies on that this server lacks or has changed: routes, responses, events, nodes.

        Use this to check a new version of InvokeAI. The versions that the client is tested with have no differences.

        Endpoint: GET /openapi.json

        Raises:
            NotInvokeAIError: the document does not describe an InvokeAI server.
        """
        return self._aio._engine.block(self._aio.schema_drift())

    def health_check(self, timeout: float | None = None) -> Health:
        """Check whether the server can be used, and how fast it responds. Problems are returned, not raised.

        Endpoint: GET /api/v1/app/version
        Endpoint: GET /api/v1/queue/default/status (a valid token needed)

        Args:
            timeout: seconds for the whole check, including retries and a login; None for the limits of the requests.

        Raises:
            ClientClosedError: the client is closed.
            SettingsError: the timeout is not a positive number of seconds.
        """
        work = self._aio.health_check(timeout)
        del timeout
        return self._aio._engine.block(work)

    def wait_until_ready(self, timeout: float = 60.0) -> str:
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
        work = self._aio.wait_until_ready(timeout)
        del timeout
        return self._aio._engine.block(work)

    def get_dependencies(self) -> dict[str, str]:
        """Return the versions of the server's dependencies, such as `{"torch": "2.7.1"}`.

        Endpoint: GET /api/v1/app/app_deps
        """
        return self._aio._engine.block(self._aio.get_dependencies())

    def get_config(self) -> RuntimeConfig:
        """Return the server's current configuration, and which settings differ from their defaults.

        Endpoint: GET /api/v1/app/runtime_config (administrators only)
        """
        return self._aio._engine.block(self._aio.get_config())

    def update_config(self, changes: Mapping[str, Any]) -> RuntimeConfig:
        """Change settings of the running server. Only a few can be changed, such as `max_queue_history`.

        Endpoint: PATCH /api/v1/app/runtime_config (administrators only, InvokeAI 6.12 or later)

        Raises:
            RejectedError: a setting cannot be changed, or does not accept the value.
        """
        work = self._aio.update_config(changes)
        del changes
        return self._aio._engine.block(work)

    def list_generation_devices(self) -> list[GenerationDevice]:
        """Return the devices that the server can generate on.

        `generation_devices` in the server's configuration says which of them it uses, `auto` for all.

        Endpoint: GET /api/v1/app/generation_device_options (InvokeAI 6.14 or later)
        """
        return self._aio._engine.block(self._aio.list_generation_devices())

    def get_log_level(self) -> int:
        """Return the level of the server's log, from 10 (debug) to 50 (critical), as in `logging`.

        Endpoint: GET /api/v1/app/logging (administrators only)
        """
        return self._aio._engine.block(self._aio.get_log_level())

    def set_log_level(self, level: int) -> int:
        """Set the level of the server's log until the server is restarted.

        Endpoint: POST /api/v1/app/logging (administrators only)

        Raises:
            RejectedError: the level does not exist.
        """
        work = self._aio.set_log_level(level)
        del level
        return self._aio._engine.block(work)

    def get_invocation_cache(self) -> InvocationCacheStatus:
        """Return the status of the cache of node outputs: its size, hits and misses, and whether it is enabled.

        Endpoint: GET /api/v1/app/invocation_cache/status (administrators only)
        """
        return self._aio._engine.block(self._aio.get_invocation_cache())

    def enable_invocation_cache(self) -> None:
        """Enable the cache of node outputs.

        Endpoint: PUT /api/v1/app/invocation_cache/enable (administrators only)
        """
        return self._aio._engine.block(self._aio.enable_invocation_cache())

    def disable_invocation_cache(self) -> None:
        """Disable the cache of node outputs: every node runs, even if it has run with the same inputs before.

        Endpoint: PUT /api/v1/app/invocation_cache/disable (administrators only)
        """
        return self._aio._engine.block(self._aio.disable_invocation_cache())

    def clear_invocation_cache(self) -> None:
        """Clear the cache of node outputs.

        Endpoint: DELETE /api/v1/app/invocation_cache (administrators only)
        """
        return self._aio._engine.block(self._aio.clear_invocation_cache())

    def dynamic_prompts(
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
        work = self._aio.dynamic_prompts(prompt, max_prompts=max_prompts, combinatorial=combinatorial, seed=seed)
        del prompt, max_prompts, combinatorial, seed
        return self._aio._engine.block(work)
