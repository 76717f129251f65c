"""How models come to the server: from files, addresses, Hugging Face, and by recommendation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.repositories.models.install_job import AsyncInstallJob
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.secret import Secret
from invokeai_py_client.transport.error_responses import nearest, not_there
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import models
from invokeai_py_client.wire.records.models import FoundModel, HuggingFaceFiles, InstallJobRecord, StarterModel

_OF_A_PATH = ("~", "./", "../", ".\\", "..\\")


class AsyncModelInstalls(FixedAttributes):
    """The part of `client.aio.dnn_model_repo` that installs."""

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker

    @on_engine
    async def install_model(
        self,
        source: str | os.PathLike[str],
        config: Mapping[str, Any] | None = None,
        inplace: bool | None = None,
        access_token: str | Secret | None = None,
    ) -> AsyncInstallJob:
        """Begin to install a model.

        Endpoint: POST /api/v2/models/install (administrators only)

        Args:
            source: a file or folder on the server's machine, a URL, or a Hugging Face repository (`owner/name`, with
                `:variant:subfolder` if need be). A path object, and a text that begins with `~`, `./` or `../`, is a
                path of this machine, which is made absolute.
            config: what is to be recorded in place of what the server finds out, such as `{"name": "tiger"}`.
            inplace: leave local files where they are; by default the server moves them into a folder of its own.
            access_token: for a URL that needs one. It is never shown.

        Returns:
            The installation; `wait_until()` gives the model.

        Raises:
            ValueError: the source is empty, which the server would take for its own folder.
            RejectedError: there is no such source, or it is no model.

        Example:
            >>> client.dnn_model_repo.install_model("/models/tiger.safetensors", inplace=True).wait_until().key
            '9c2e...'
        """
        access_token = Secret.of(access_token)
        if not os.fspath(source).strip():
            raise ValueError("there is nothing to install: the source is empty")
        call = models.install_model(
            _as_the_server_reads(source), inplace=bool(inplace), access_token=access_token, changes=config
        )
        return self._job(await self._http.send(call))

    @on_engine
    async def install_huggingface(
        self, repo_id: str, config: Mapping[str, Any] | None = None, access_token: str | Secret | None = None
    ) -> AsyncInstallJob:
        """Begin to install a model from a Hugging Face repository: `install_model(repo_id)`."""
        access_token = Secret.of(access_token)
        return await self.install_model(repo_id, config, access_token=access_token)

    @on_engine
    async def install_starter_model(self, name: str) -> AsyncInstallJob:
        """Begin to install a model that the server's makers recommend.

        Args:
            name: as in `list_starter_models`.

        Raises:
            NotFoundError: there is none of that name; the message names the nearest.
        """
        call = models.list_starter_models()
        known = await self._http.send(call)
        starter = next((one for one in known if one.name == name), None)
        if starter is None:
            raise not_there(
                f"There is no starter model {name!r}.",
                call,
                self._http,
                hint=nearest(name, (one.name for one in known), "There are"),
            )
        config = {"name": starter.name, "description": starter.description}
        return await self.install_model(starter.source, config)

    @on_engine
    async def list_install_jobs(self) -> list[AsyncInstallJob]:
        """The installations since the server has started.

        Endpoint: GET /api/v2/models/install (administrators only)
        """
        return [self._job(record) for record in await self._http.send(models.list_install_jobs())]

    @on_engine
    async def get_install_job(self, id: int | str) -> AsyncInstallJob:
        """An installation, begun by whatever program.

        Endpoint: GET /api/v2/models/install/{id} (administrators only)

        Raises:
            NotFoundError: the server does not know it (any more).
        """
        return self._job(await self._http.send(models.get_install_job(id)))

    @on_engine
    async def prune_install_jobs(self) -> bool:
        """Have the server forget the installations that have ended; True.

        Endpoint: DELETE /api/v2/models/install (administrators only)
        """
        await self._http.send(models.prune_install_jobs())
        return True

    @on_engine
    async def list_starter_models(self) -> list[StarterModel]:
        """The models that the server's makers recommend.

        Endpoint: GET /api/v2/models/starter_models (administrators only)
        """
        return await self._http.send(models.list_starter_models())

    @on_engine
    async def list_hugging_face_files(self, repo_id: str) -> HuggingFaceFiles:
        """What can be installed from a Hugging Face repository; the server asks huggingface.co.

        Endpoint: GET /api/v2/models/hugging_face (administrators only)
        """
        return await self._http.send(models.list_hugging_face_files(repo_id))

    @on_engine
    async def scan_folder(self, scan_path: str) -> list[FoundModel]:
        """What may be a model in a folder of the server's machine.

        Endpoint: GET /api/v2/models/scan_folder (administrators only)

        Raises:
            RejectedError: there is no such folder.
        """
        return await self._http.send(models.scan_folder(scan_path))

    # Hugging Face

    @on_engine
    async def hf_status(self) -> str:
        """Whether the server has a Hugging Face token: `valid`, `invalid`, or `unknown` where that cannot be asked.

        Endpoint: GET /api/v2/models/hf_login (administrators only)
        """
        return await self._http.send(models.get_hf_status())

    @on_engine
    async def hf_login(self, token: str | Secret) -> bool:
        """Give the server a Hugging Face token, which it keeps; whether huggingface.co says that it is valid.

        Endpoint: POST /api/v2/models/hf_login (administrators only)
        """
        token = Secret.of(token)
        return await self._http.send(models.hf_login(token)) == "valid"

    @on_engine
    async def hf_logout(self) -> bool:
        """Have the server forget its Hugging Face token; whether it has none that is valid now.

        Endpoint: DELETE /api/v2/models/hf_login (administrators only)
        """
        return await self._http.send(models.hf_logout()) != "valid"

    def _job(self, record: InstallJobRecord) -> AsyncInstallJob:
        return AsyncInstallJob(self._engine, self._http, self._tracker, record)


def _as_the_server_reads(source: str | os.PathLike[str]) -> str:
    """A source whose path, if it is one, is absolute: the server would take a relative one for a repository."""
    if isinstance(source, os.PathLike) or source.startswith(_OF_A_PATH):
        return os.path.abspath(os.path.expanduser(source))
    return source
