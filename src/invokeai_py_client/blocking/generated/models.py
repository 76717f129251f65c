# Generated from repositories/models/models.py by scripts/generate_blocking.py. Do not edit.
"""`Models`: the methods of `AsyncModels`, blocking."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.blocking.generated.install_job import InstallJob
from invokeai_py_client.repositories.models.models import AsyncModels
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.secret import Secret
from invokeai_py_client.wire.records.models import (
    DeletedModels,
    DeletedOrphans,
    FoundModel,
    HuggingFaceFiles,
    ModelCacheStats,
    ModelRecord,
    OrphanedModel,
    StarterModel,
)


class Models(Blocking[AsyncModels]):
    """The server's installed models: `client.dnn_model_repo`, awaited `client.aio.dnn_model_repo`.

    Example:
        >>> [model.name for model in client.dnn_model_repo.list_models(base="sd-1", type="main")]
        ['dreamshaper']
    """

    def list_models(
        self,
        *,
        base: str | Sequence[str] | None = None,
        type: str | None = None,
        format: str | None = None,
        name: str | None = None,
    ) -> list[ModelRecord]:
        """Return the installed models.

        Endpoint: GET /api/v2/models/

        Args:
            base: only models of this base, or of one of these, such as `sd-1`, `sdxl` or `flux`.
            type: only models of this type, such as `main`, `lora` or `vae`.
            format: only models of this format, such as `diffusers` or `checkpoint`.
            name: only models with exactly this name.

        Raises:
            RejectedError: the server does not know the base, type or format.
        """
        work = self._aio.list_models(base=read_here(base), type=type, format=format, name=name)
        del base, type, format, name
        return self._aio._engine.block(work)

    def get_model_by_key(self, model_key: str) -> ModelRecord:
        """Return a model by its key.

        Endpoint: GET /api/v2/models/i/{key}

        Raises:
            NotFoundError: there is no model with that key.
        """
        work = self._aio.get_model_by_key(model_key)
        del model_key
        return self._aio._engine.block(work)

    def get_model_by_hash(self, hash: str) -> ModelRecord:
        """Return a model by the hash of its files, such as `blake3:...`.

        Endpoint: GET /api/v2/models/get_by_hash

        Raises:
            NotFoundError: there is no model with that hash.
        """
        work = self._aio.get_model_by_hash(hash)
        del hash
        return self._aio._engine.block(work)

    def get_model_by_attributes(self, name: str, base: str, type: str) -> ModelRecord:
        """Return a model by its name, base and type.

        Endpoint: GET /api/v2/models/get_by_attrs

        Raises:
            NotFoundError: there is no such model.
        """
        work = self._aio.get_model_by_attributes(name, base, type)
        del name, base, type
        return self._aio._engine.block(work)

    def resolve(self, model: str | None = None, *, base: str | None = None, type: str | None = None) -> ModelRecord:
        """Find a model by its key, hash or name, in this order; or the only model of a base or type.

        Args:
            model: a key, a hash or a name.
            base: only models of this base.
            type: only models of this type.

        Raises:
            NotFoundError: no model matches; the message has the most similar names.
            AmbiguousNameError: several models match; `choices` are their keys.

        Example:
            >>> client.dnn_model_repo.resolve("dreamshaper", type="main").key
            '5f0c...'
        """
        work = self._aio.resolve(model, base=base, type=type)
        del model, base, type
        return self._aio._engine.block(work)

    def list_missing_models(self) -> list[ModelRecord]:
        """Return the installed models whose files are missing.

        Endpoint: GET /api/v2/models/missing (InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.list_missing_models())

    def update_model(self, model_key: str, changes: Mapping[str, Any]) -> ModelRecord:
        """Change a model's name, description, trigger phrases, default settings and so on.

        Endpoint: PATCH /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
            RejectedError: the server does not allow the change.
        """
        work = self._aio.update_model(model_key, changes)
        del model_key, changes
        return self._aio._engine.block(work)

    def reidentify_model(self, model_key: str) -> ModelRecord:
        """Detect the type and format of a model's files again.

        Endpoint: POST /api/v2/models/i/{key}/reidentify (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
        """
        work = self._aio.reidentify_model(model_key)
        del model_key
        return self._aio._engine.block(work)

    def convert_model(self, key: str) -> ModelRecord:
        """Convert a checkpoint file to a diffusers folder.

        This may take minutes, so the client's `timeout` must be long enough.

        Endpoint: PUT /api/v2/models/convert/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
            RejectedError: it is not a checkpoint of a main model.
        """
        work = self._aio.convert_model(key)
        del key
        return self._aio._engine.block(work)

    def delete_model(self, key: str) -> str:
        """Delete a model, and its files if they are in the server's models folder; return its key.

        Endpoint: DELETE /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
        """
        work = self._aio.delete_model(key)
        del key
        return self._aio._engine.block(work)

    def delete_models(self, keys: str | Sequence[str]) -> DeletedModels:
        """Delete many models. On older servers, each is deleted by a request of its own.

        Endpoint: POST /api/v2/models/i/bulk_delete (administrators only, InvokeAI 6.11 or later)

        Returns:
            The models that were deleted, and those that could not be deleted, with errors.
        """
        work = self._aio.delete_models(read_here(keys))
        del keys
        return self._aio._engine.block(work)

    def get_cover_image(self, key: str) -> bytes:
        """Return the cover image of a model in the web UI, as an image file.

        Endpoint: GET /api/v2/models/i/{key}/image

        Raises:
            NotFoundError: there is no model with that key, or it has no cover image.
        """
        work = self._aio.get_cover_image(key)
        del key
        return self._aio._engine.block(work)

    def set_cover_image(self, key: str, image: str | os.PathLike[str] | bytes) -> None:
        """Set the cover image of a model in the web UI.

        Endpoint: PATCH /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotAnImageError: the image does not have a known format.
            NotFoundError: there is no model with that key.
        """
        work = self._aio.set_cover_image(key, image)
        del key, image
        return self._aio._engine.block(work)

    def delete_cover_image(self, key: str) -> None:
        """Remove the cover image of a model.

        Endpoint: DELETE /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotFoundError: there is no model with that key, or it has no cover image.
        """
        work = self._aio.delete_cover_image(key)
        del key
        return self._aio._engine.block(work)

    def get_related_models(self, key: str) -> list[str]:
        """Return the keys of the models that are linked to a model.

        Endpoint: GET /api/v1/model_relationships/i/{model_key}
        """
        work = self._aio.get_related_models(key)
        del key
        return self._aio._engine.block(work)

    def get_all_related_models(self, keys: str | Sequence[str]) -> list[str]:
        """Return the keys of the models that are linked to any of these models.

        Endpoint: POST /api/v1/model_relationships/batch
        """
        work = self._aio.get_all_related_models(read_here(keys))
        del keys
        return self._aio._engine.block(work)

    def link_models(self, key: str, other_key: str) -> None:
        """Link two models, for example a LoRA and the main model that it belongs to.

        Endpoint: POST /api/v1/model_relationships/ (administrators only)

        Raises:
            NotFoundError: one of the models does not exist.
            RejectedError: both keys are the same.
        """
        work = self._aio.link_models(key, other_key)
        del key, other_key
        return self._aio._engine.block(work)

    def unlink_models(self, key: str, other_key: str) -> None:
        """Undo `link_models`. Does nothing if the models are not linked.

        Endpoint: DELETE /api/v1/model_relationships/ (administrators only)
        """
        work = self._aio.unlink_models(key, other_key)
        del key, other_key
        return self._aio._engine.block(work)

    def get_stats(self) -> ModelCacheStats | None:
        """Return statistics of the cache of loaded models; None before the first model was loaded.

        Endpoint: GET /api/v2/models/stats (administrators only)
        """
        return self._aio._engine.block(self._aio.get_stats())

    def empty_model_cache(self) -> bool:
        """Unload all models that are not in use by a node. Returns True.

        Endpoint: POST /api/v2/models/empty_model_cache (administrators only)
        """
        return self._aio._engine.block(self._aio.empty_model_cache())

    def list_orphaned_models(self) -> list[OrphanedModel]:
        """Return the folders in the server's models folder that do not belong to an installed model.

        Endpoint: GET /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.list_orphaned_models())

    def delete_orphaned_models(self, paths: str | Sequence[str]) -> DeletedOrphans:
        """Delete folders that do not belong to an installed model.

        Endpoint: DELETE /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)

        Args:
            paths: the folders, as in `list_orphaned_models`.
        """
        work = self._aio.delete_orphaned_models(read_here(paths))
        del paths
        return self._aio._engine.block(work)

    def install_model(
        self,
        source: str | os.PathLike[str],
        config: Mapping[str, Any] | None = None,
        inplace: bool | None = None,
        access_token: str | Secret | None = None,
    ) -> InstallJob:
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
        work = self._aio.install_model(source, config, inplace, access_token)
        del source, config, inplace, access_token
        return InstallJob(self._aio._engine.block(work))

    def install_huggingface(
        self, repo_id: str, config: Mapping[str, Any] | None = None, access_token: str | Secret | None = None
    ) -> InstallJob:
        """Start to install a model from a Hugging Face repository; see `install_model`."""
        work = self._aio.install_huggingface(repo_id, config, access_token)
        del repo_id, config, access_token
        return InstallJob(self._aio._engine.block(work))

    def install_starter_model(self, name: str) -> InstallJob:
        """Start to install one of InvokeAI's starter models.

        Args:
            name: the name, as in `list_starter_models`.

        Raises:
            NotFoundError: there is no starter model with that name; the message has the most similar names.
        """
        work = self._aio.install_starter_model(name)
        del name
        return InstallJob(self._aio._engine.block(work))

    def list_install_jobs(self) -> list[InstallJob]:
        """Return the installations since the server was started.

        Endpoint: GET /api/v2/models/install (administrators only)
        """
        return [InstallJob(each) for each in self._aio._engine.block(self._aio.list_install_jobs())]

    def get_install_job(self, id: int | str) -> InstallJob:
        """Return an installation, whichever program started it.

        Endpoint: GET /api/v2/models/install/{id} (administrators only)

        Raises:
            NotFoundError: the server does not have the installation, or no longer.
        """
        work = self._aio.get_install_job(id)
        del id
        return InstallJob(self._aio._engine.block(work))

    def prune_install_jobs(self) -> bool:
        """Remove the installations that have ended from the server's list. Returns True.

        Endpoint: DELETE /api/v2/models/install (administrators only)
        """
        return self._aio._engine.block(self._aio.prune_install_jobs())

    def list_starter_models(self) -> list[StarterModel]:
        """Return InvokeAI's starter models, which are the models that it recommends.

        Endpoint: GET /api/v2/models/starter_models (administrators only)
        """
        return self._aio._engine.block(self._aio.list_starter_models())

    def list_hugging_face_files(self, repo_id: str) -> HuggingFaceFiles:
        """Return the files of a Hugging Face repository that can be installed. The server requests huggingface.co.

        Endpoint: GET /api/v2/models/hugging_face (administrators only)
        """
        work = self._aio.list_hugging_face_files(repo_id)
        del repo_id
        return self._aio._engine.block(work)

    def scan_folder(self, scan_path: str) -> list[FoundModel]:
        """Return the files and folders in a folder of the server's machine that may be models.

        Endpoint: GET /api/v2/models/scan_folder (administrators only)

        Raises:
            RejectedError: the folder does not exist.
        """
        work = self._aio.scan_folder(scan_path)
        del scan_path
        return self._aio._engine.block(work)

    def hf_status(self) -> str:
        """Return the status of the server's Hugging Face token: `valid`, `invalid`, or `unknown` if offline.

        Endpoint: GET /api/v2/models/hf_login (administrators only)
        """
        return self._aio._engine.block(self._aio.hf_status())

    def hf_login(self, token: str | Secret) -> bool:
        """Store a Hugging Face token on the server; return whether huggingface.co accepts it.

        Endpoint: POST /api/v2/models/hf_login (administrators only)
        """
        work = self._aio.hf_login(token)
        del token
        return self._aio._engine.block(work)

    def hf_logout(self) -> bool:
        """Remove the Hugging Face token from the server; return whether the server now has no valid token.

        Endpoint: DELETE /api/v2/models/hf_login (administrators only)
        """
        return self._aio._engine.block(self._aio.hf_logout())
