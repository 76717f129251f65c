"""Installs models on the server: from files, URLs, Hugging Face, and InvokeAI's list of starter models."""

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
    """The methods of `client.aio.dnn_model_repo` for installing models."""

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
        """Start to install a model.

        Endpoint: POST /api/v2/models/install (administrators only)

        Args:
            source: a file or folder on the server's machine, a URL, or a Hugging Face repository (`owner/name`, or
                `owner/name:variant:subfolder`). A path object, or a string that starts with `~`, `./` or `../`, is made
                absolute on this machine, so it is only useful if the server runs here.
            config: properties of the model that override those the server detects, such as `{"name": "tiger"}`.
            inplace: leave local files where they are; by default the server moves them to its models folder.
            access_token: the token for a URL that needs one. It is never shown or logged.

        Returns:
            The installation. Its `wait_until()` returns the model.

        Raises:
            ValueError: the source is empty.
            RejectedError: the source does not exist, or is not a model.

        Example:
            >>> client.dnn_model_repo.install_model("/models/tiger.safetensors", inplace=True).wait_until().key
            '9c2e...'
        """
        access_token = Secret.of(access_token)
        if not os.fspath(source).strip():
            # The server would take an empty path for its own folder.
            raise ValueError("`source` is empty: pass a path, a URL or a Hugging Face repository")
        call = models.install_model(
            _as_the_server_reads(source), inplace=bool(inplace), access_token=access_token, changes=config
        )
        return self._job(await self._http.send(call))

    @on_engine
    async def install_huggingface(
        self, repo_id: str, config: Mapping[str, Any] | None = None, access_token: str | Secret | None = None
    ) -> AsyncInstallJob:
        """Start to install a model from a Hugging Face repository; see `install_model`."""
        access_token = Secret.of(access_token)
        return await self.install_model(repo_id, config, access_token=access_token)

    @on_engine
    async def install_starter_model(self, name: str) -> AsyncInstallJob:
        """Start to install one of InvokeAI's starter models.

        Args:
            name: the name, as in `list_starter_models`.

        Raises:
            NotFoundError: there is no starter model with that name; the message has the most similar names.
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
        """Return the installations since the server was started.

        Endpoint: GET /api/v2/models/install (administrators only)
        """
        return [self._job(record) for record in await self._http.send(models.list_install_jobs())]

    @on_engine
    async def get_install_job(self, id: int | str) -> AsyncInstallJob:
        """Return an installation, whichever program started it.

        Endpoint: GET /api/v2/models/install/{id} (administrators only)

        Raises:
            NotFoundError: the server does not have the installation, or no longer.
        """
        return self._job(await self._http.send(models.get_install_job(id)))

    @on_engine
    async def prune_install_jobs(self) -> bool:
        """Remove the installations that have ended from the server's list. Returns True.

        Endpoint: DELETE /api/v2/models/install (administrators only)
        """
        await self._http.send(models.prune_install_jobs())
        return True

    @on_engine
    async def list_starter_models(self) -> list[StarterModel]:
        """Return InvokeAI's starter models, which are the models that it recommends.

        Endpoint: GET /api/v2/models/starter_models (administrators only)
        """
        return await self._http.send(models.list_starter_models())

    @on_engine
    async def list_hugging_face_files(self, repo_id: str) -> HuggingFaceFiles:
        """Return the files of a Hugging Face repository that can be installed. The server requests huggingface.co.

        Endpoint: GET /api/v2/models/hugging_face (administrators only)
        """
        return await self._http.send(models.list_hugging_face_files(repo_id))

    @on_engine
    async def scan_folder(self, scan_path: str) -> list[FoundModel]:
        """Return the files and folders in a folder of the server's machine that may be models.

        Endpoint: GET /api/v2/models/scan_folder (administrators only)

        Raises:
            RejectedError: the folder does not exist.
        """
        return await self._http.send(models.scan_folder(scan_path))

    # Hugging Face

    @on_engine
    async def hf_status(self) -> str:
        """Return the status of the server's Hugging Face token: `valid`, `invalid`, or `unknown` if offline.

        Endpoint: GET /api/v2/models/hf_login (administrators only)
        """
        return await self._http.send(models.get_hf_status())

    @on_engine
    async def hf_login(self, token: str | Secret) -> bool:
        """Store a Hugging Face token on the server; return whether huggingface.co accepts it.

        Endpoint: POST /api/v2/models/hf_login (administrators only)
        """
        token = Secret.of(token)
        return await self._http.send(models.hf_login(token)) == "valid"

    @on_engine
    async def hf_logout(self) -> bool:
        """Remove the Hugging Face token from the server; return whether the server now has no valid token.

        Endpoint: DELETE /api/v2/models/hf_login (administrators only)
        """
        return await self._http.send(models.hf_logout()) != "valid"

    def _job(self, record: InstallJobRecord) -> AsyncInstallJob:
        return AsyncInstallJob(self._engine, self._http, self._tracker, record)


def _as_the_server_reads(source: str | os.PathLike[str]) -> str:
    """Make a source absolute if it is a local path, as the server would take a relative path for a repository."""
    if isinstance(source, os.PathLike) or source.startswith(_OF_A_PATH):
        return os.path.abspath(os.path.expanduser(source))
    return source
