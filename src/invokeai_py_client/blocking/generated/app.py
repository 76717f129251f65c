# Generated from repositories/app.py by scripts/generate_blocking.py. Do not edit.
"""`App`: the methods of `AsyncApp`, blocking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.repositories.app import AsyncApp, Health
from invokeai_py_client.repositories.schema_drift import Drift
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire.records.app import InvocationCacheStatus, RuntimeConfig


class App(Blocking[AsyncApp]):
    """The server itself: `client.app`, awaited `client.aio.app`."""

    def get_version(self) -> str:
        """The server's version, such as `6.14.2`.

        Endpoint: GET /api/v1/app/version (no token needed)

        Raises:
            TransportError: nothing can be reached at the address.
            NotInvokeAIError: something answers, but it is not an InvokeAI server.
        """
        return self._aio._engine.block(self._aio.get_version())

    def schema_drift(self) -> list[Drift]:
        """What this server lacks of what the client rests on, or has otherwise: routes, answers, events, nodes.

        Nothing is to be expected of the versions that the client is tested with; ask it of a new one.

        Endpoint: GET /openapi.json

        Raises:
            NotInvokeAIError: the document describes no InvokeAI server.
        """
        return self._aio._engine.block(self._aio.schema_drift())

    def health_check(self, timeout: float | None = None) -> Health:
        """Whether the server can be used now, and how soon it answers. It raises nothing of what it finds.

        Endpoint: GET /api/v1/app/version
        Endpoint: GET /api/v1/queue/default/status (a valid token needed)

        Args:
            timeout: seconds for all of it, retries and a login included; None for as long as requests may take.

        Raises:
            ClientClosedError: the client is closed.
            SettingsError: the timeout is not a positive number of seconds.
        """
        work = self._aio.health_check(timeout)
        del timeout
        return self._aio._engine.block(work)

    def wait_until_ready(self, timeout: float = 60.0) -> str:
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
        work = self._aio.wait_until_ready(timeout)
        del timeout
        return self._aio._engine.block(work)

    def get_dependencies(self) -> dict[str, str]:
        """The versions of what the server is made of, such as `{"torch": "2.7.1"}`.

        Endpoint: GET /api/v1/app/app_deps
        """
        return self._aio._engine.block(self._aio.get_dependencies())

    def get_config(self) -> RuntimeConfig:
        """The server's configuration as it runs, and which settings differ from their defaults.

        Endpoint: GET /api/v1/app/runtime_config (administrators only)
        """
        return self._aio._engine.block(self._aio.get_config())

    def update_config(self, changes: Mapping[str, Any]) -> RuntimeConfig:
        """Change a setting while the server runs; few can be, such as `max_queue_history`.

        Endpoint: PATCH /api/v1/app/runtime_config (administrators only, InvokeAI 6.12 or later)

        Raises:
            RejectedError: a setting cannot be changed, or not to that.
        """
        work = self._aio.update_config(changes)
        del changes
        return self._aio._engine.block(work)

    def get_log_level(self) -> int:
        """From how severe on the server writes its log: 10 (debug) to 50 (critical), as in `logging`.

        Endpoint: GET /api/v1/app/logging (administrators only)
        """
        return self._aio._engine.block(self._aio.get_log_level())

    def set_log_level(self, level: int) -> int:
        """Choose it, until the server ends.

        Endpoint: POST /api/v1/app/logging (administrators only)

        Raises:
            RejectedError: there is no such level.
        """
        work = self._aio.set_log_level(level)
        del level
        return self._aio._engine.block(work)

    def get_invocation_cache(self) -> InvocationCacheStatus:
        """The cache of nodes' outputs: its size, hits and misses, and whether it is on.

        Endpoint: GET /api/v1/app/invocation_cache/status (administrators only)
        """
        return self._aio._engine.block(self._aio.get_invocation_cache())

    def enable_invocation_cache(self) -> None:
        """Use the cache of nodes' outputs again.

        Endpoint: PUT /api/v1/app/invocation_cache/enable (administrators only)
        """
        return self._aio._engine.block(self._aio.enable_invocation_cache())

    def disable_invocation_cache(self) -> None:
        """Run every node, even one that has run with the same inputs before.

        Endpoint: PUT /api/v1/app/invocation_cache/disable (administrators only)
        """
        return self._aio._engine.block(self._aio.disable_invocation_cache())

    def clear_invocation_cache(self) -> None:
        """Forget the outputs of nodes.

        Endpoint: DELETE /api/v1/app/invocation_cache (administrators only)
        """
        return self._aio._engine.block(self._aio.clear_invocation_cache())

    def dynamic_prompts(
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
        work = self._aio.dynamic_prompts(prompt, max_prompts=max_prompts, combinatorial=combinatorial, seed=seed)
        del prompt, max_prompts, combinatorial, seed
        return self._aio._engine.block(work)
