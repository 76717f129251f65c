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
        """The installed models.

        Endpoint: GET /api/v2/models/

        Args:
            base: only those of this base, or one of these, such as `sd-1`, `sdxl` or `flux`.
            type: only those of this type, such as `main`, `lora` or `vae`.
            format: only those of this format, such as `diffusers` or `checkpoint`.
            name: only those of exactly this name.

        Raises:
            RejectedError: the server knows no such base, type or format.
        """
        work = self._aio.list_models(base=read_here(base), type=type, format=format, name=name)
        del base, type, format, name
        return self._aio._engine.block(work)

    def get_model_by_key(self, model_key: str) -> ModelRecord:
        """A model.

        Endpoint: GET /api/v2/models/i/{key}

        Raises:
            NotFoundError: there is none of that key.
        """
        work = self._aio.get_model_by_key(model_key)
        del model_key
        return self._aio._engine.block(work)

    def get_model_by_hash(self, hash: str) -> ModelRecord:
        """A model by the hash of its files, such as `blake3:...`.

        Endpoint: GET /api/v2/models/get_by_hash

        Raises:
            NotFoundError: there is none of that hash.
        """
        work = self._aio.get_model_by_hash(hash)
        del hash
        return self._aio._engine.block(work)

    def get_model_by_attributes(self, name: str, base: str, type: str) -> ModelRecord:
        """A model by its name, base and type.

        Endpoint: GET /api/v2/models/get_by_attrs

        Raises:
            NotFoundError: there is none.
        """
        work = self._aio.get_model_by_attributes(name, base, type)
        del name, base, type
        return self._aio._engine.block(work)

    def resolve(self, model: str | None = None, *, base: str | None = None, type: str | None = None) -> ModelRecord:
        """The one model that is meant: by its key, else its hash, else its name; or the only one of a base and type.

        Args:
            model: a key, a hash or a name.
            base: only among those of this base.
            type: only among those of this type.

        Raises:
            NotFoundError: none is meant; the message names the nearest.
            AmbiguousNameError: several are; `choices` are their keys.

        Example:
            >>> client.dnn_model_repo.resolve("dreamshaper", type="main").key
            '5f0c...'
        """
        work = self._aio.resolve(model, base=base, type=type)
        del model, base, type
        return self._aio._engine.block(work)

    def list_missing_models(self) -> list[ModelRecord]:
        """The installed models whose files are gone.

        Endpoint: GET /api/v2/models/missing (InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.list_missing_models())

    def update_model(self, model_key: str, changes: Mapping[str, Any]) -> ModelRecord:
        """Change a model's name, description, trigger phrases, default settings and the like.

        Endpoint: PATCH /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
            RejectedError: a change that it does not allow.
        """
        work = self._aio.update_model(model_key, changes)
        del model_key, changes
        return self._aio._engine.block(work)

    def reidentify_model(self, model_key: str) -> ModelRecord:
        """Have the server look again at what a model's files are.

        Endpoint: POST /api/v2/models/i/{key}/reidentify (administrators only)

        Raises:
            NotFoundError: there is none of that key.
        """
        work = self._aio.reidentify_model(model_key)
        del model_key
        return self._aio._engine.block(work)

    def convert_model(self, key: str) -> ModelRecord:
        """Make a diffusers folder of a checkpoint file.

        It may take minutes: give the client a `timeout` to match.

        Endpoint: PUT /api/v2/models/convert/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
            RejectedError: it is not a checkpoint of a main model.
        """
        work = self._aio.convert_model(key)
        del key
        return self._aio._engine.block(work)

    def delete_model(self, key: str) -> str:
        """Delete a model, and its files if they are below the server's own folder; return its key.

        Endpoint: DELETE /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
        """
        work = self._aio.delete_model(key)
        del key
        return self._aio._engine.block(work)

    def delete_models(self, keys: str | Sequence[str]) -> DeletedModels:
        """Delete many models; what could not be deleted is told.

        Older servers get one request for each model.

        Endpoint: POST /api/v2/models/i/bulk_delete (administrators only, InvokeAI 6.11 or later)
        """
        work = self._aio.delete_models(read_here(keys))
        del keys
        return self._aio._engine.block(work)

    def get_cover_image(self, key: str) -> bytes:
        """The image that the web UI shows of a model.

        Endpoint: GET /api/v2/models/i/{key}/image

        Raises:
            NotFoundError: there is no model of that key, or it has no such image.
        """
        work = self._aio.get_cover_image(key)
        del key
        return self._aio._engine.block(work)

    def set_cover_image(self, key: str, image: str | os.PathLike[str] | bytes) -> None:
        """Choose the image that the web UI shows of a model.

        Endpoint: PATCH /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotAnImageError: it is not an image of a known kind.
            NotFoundError: there is no model of that key.
        """
        work = self._aio.set_cover_image(key, image)
        del key, image
        return self._aio._engine.block(work)

    def delete_cover_image(self, key: str) -> None:
        """Take away the image that the web UI shows of a model.

        Endpoint: DELETE /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotFoundError: there is no model of that key, or it has no image.
        """
        work = self._aio.delete_cover_image(key)
        del key
        return self._aio._engine.block(work)

    def get_related_models(self, key: str) -> list[str]:
        """The keys of the models that somebody has linked with a model.

        Endpoint: GET /api/v1/model_relationships/i/{model_key}
        """
        work = self._aio.get_related_models(key)
        del key
        return self._aio._engine.block(work)

    def get_all_related_models(self, keys: str | Sequence[str]) -> list[str]:
        """The keys of the models that are linked with any of these.

        Endpoint: POST /api/v1/model_relationships/batch
        """
        work = self._aio.get_all_related_models(read_here(keys))
        del keys
        return self._aio._engine.block(work)

    def link_models(self, key: str, other_key: str) -> None:
        """Link two models: a LoRA with the model it goes with, say.

        Endpoint: POST /api/v1/model_relationships/ (administrators only)

        Raises:
            NotFoundError: there is no model of one of the keys.
            RejectedError: they are the same.
        """
        work = self._aio.link_models(key, other_key)
        del key, other_key
        return self._aio._engine.block(work)

    def unlink_models(self, key: str, other_key: str) -> None:
        """Undo `link_models`; of models that are not linked, nothing is changed.

        Endpoint: DELETE /api/v1/model_relationships/ (administrators only)
        """
        work = self._aio.unlink_models(key, other_key)
        del key, other_key
        return self._aio._engine.block(work)

    def get_stats(self) -> ModelCacheStats | None:
        """The cache of loaded models; None until one was loaded.

        Endpoint: GET /api/v2/models/stats (administrators only)
        """
        return self._aio._engine.block(self._aio.get_stats())

    def empty_model_cache(self) -> bool:
        """Let go of all loaded models that no node uses; True.

        Endpoint: POST /api/v2/models/empty_model_cache (administrators only)
        """
        return self._aio._engine.block(self._aio.empty_model_cache())

    def list_orphaned_models(self) -> list[OrphanedModel]:
        """The folders below the server's models that no installed model owns.

        Endpoint: GET /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.list_orphaned_models())

    def delete_orphaned_models(self, paths: str | Sequence[str]) -> DeletedOrphans:
        """Delete such folders, with their files.

        Endpoint: DELETE /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)

        Args:
            paths: as `list_orphaned_models` names them.
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
        work = self._aio.install_model(source, config, inplace, access_token)
        del source, config, inplace, access_token
        return InstallJob(self._aio._engine.block(work))

    def install_huggingface(
        self, repo_id: str, config: Mapping[str, Any] | None = None, access_token: str | Secret | None = None
    ) -> InstallJob:
        """Begin to install a model from a Hugging Face repository: `install_model(repo_id)`."""
        work = self._aio.install_huggingface(repo_id, config, access_token)
        del repo_id, config, access_token
        return InstallJob(self._aio._engine.block(work))

    def install_starter_model(self, name: str) -> InstallJob:
        """Begin to install a model that the server's makers recommend.

        Args:
            name: as in `list_starter_models`.

        Raises:
            NotFoundError: there is none of that name; the message names the nearest.
        """
        work = self._aio.install_starter_model(name)
        del name
        return InstallJob(self._aio._engine.block(work))

    def list_install_jobs(self) -> list[InstallJob]:
        """The installations since the server has started.

        Endpoint: GET /api/v2/models/install (administrators only)
        """
        return [InstallJob(each) for each in self._aio._engine.block(self._aio.list_install_jobs())]

    def get_install_job(self, id: int | str) -> InstallJob:
        """An installation, begun by whatever program.

        Endpoint: GET /api/v2/models/install/{id} (administrators only)

        Raises:
            NotFoundError: the server does not know it (any more).
        """
        work = self._aio.get_install_job(id)
        del id
        return InstallJob(self._aio._engine.block(work))

    def prune_install_jobs(self) -> bool:
        """Have the server forget the installations that have ended; True.

        Endpoint: DELETE /api/v2/models/install (administrators only)
        """
        return self._aio._engine.block(self._aio.prune_install_jobs())

    def list_starter_models(self) -> list[StarterModel]:
        """The models that the server's makers recommend.

        Endpoint: GET /api/v2/models/starter_models (administrators only)
        """
        return self._aio._engine.block(self._aio.list_starter_models())

    def list_hugging_face_files(self, repo_id: str) -> HuggingFaceFiles:
        """What can be installed from a Hugging Face repository; the server asks huggingface.co.

        Endpoint: GET /api/v2/models/hugging_face (administrators only)
        """
        work = self._aio.list_hugging_face_files(repo_id)
        del repo_id
        return self._aio._engine.block(work)

    def scan_folder(self, scan_path: str) -> list[FoundModel]:
        """What may be a model in a folder of the server's machine.

        Endpoint: GET /api/v2/models/scan_folder (administrators only)

        Raises:
            RejectedError: there is no such folder.
        """
        work = self._aio.scan_folder(scan_path)
        del scan_path
        return self._aio._engine.block(work)

    def hf_status(self) -> str:
        """Whether the server has a Hugging Face token: `valid`, `invalid`, or `unknown` where that cannot be asked.

        Endpoint: GET /api/v2/models/hf_login (administrators only)
        """
        return self._aio._engine.block(self._aio.hf_status())

    def hf_login(self, token: str | Secret) -> bool:
        """Give the server a Hugging Face token, which it keeps; whether huggingface.co says that it is valid.

        Endpoint: POST /api/v2/models/hf_login (administrators only)
        """
        work = self._aio.hf_login(token)
        del token
        return self._aio._engine.block(work)

    def hf_logout(self) -> bool:
        """Have the server forget its Hugging Face token; whether it has none that is valid now.

        Endpoint: DELETE /api/v2/models/hf_login (administrators only)
        """
        return self._aio._engine.block(self._aio.hf_logout())
