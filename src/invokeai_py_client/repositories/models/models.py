"""`client.dnn_model_repo`: the server's installed models, and their installation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.errors import AmbiguousNameError, ApiError
from invokeai_py_client.files import image_type_of, path_of
from invokeai_py_client.repositories.arguments import several, the_one
from invokeai_py_client.repositories.models.installs import AsyncModelInstalls
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.error_responses import not_there
from invokeai_py_client.wire.calls import models
from invokeai_py_client.wire.records.models import (
    DeletedModels,
    DeletedOrphans,
    ModelCacheStats,
    ModelRecord,
    OrphanedModel,
)


class AsyncModels(AsyncModelInstalls):
    """The server's installed models: `client.dnn_model_repo`, awaited `client.aio.dnn_model_repo`.

    Example:
        >>> [model.name for model in client.dnn_model_repo.list_models(base="sd-1", type="main")]
        ['dreamshaper']
    """

    # Which models there are

    @on_engine
    async def list_models(
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
        bases = tuple(several(base or ()))
        filters = {"base_models": bases or None, "model_type": type, "model_format": format, "model_name": name}
        return await self._http.send(models.list_models(filters))

    @on_engine
    async def get_model_by_key(self, model_key: str) -> ModelRecord:
        """A model.

        Endpoint: GET /api/v2/models/i/{key}

        Raises:
            NotFoundError: there is none of that key.
        """
        return await self._http.send(models.get_model(model_key))

    @on_engine
    async def get_model_by_hash(self, hash: str) -> ModelRecord:
        """A model by the hash of its files, such as `blake3:...`.

        Endpoint: GET /api/v2/models/get_by_hash

        Raises:
            NotFoundError: there is none of that hash.
        """
        return await self._http.send(models.get_model_by_hash(hash))

    @on_engine
    async def get_model_by_attributes(self, name: str, base: str, type: str) -> ModelRecord:
        """A model by its name, base and type.

        Endpoint: GET /api/v2/models/get_by_attrs

        Raises:
            NotFoundError: there is none.
        """
        call = models.get_model_by_attributes(name, base, type)
        found = await self._http.send(call)
        if (found.name, found.base, found.type) != (name, base, type):
            # The server takes what is empty for anything.
            raise not_there(
                f"The server does not have the {base} {type} model {name!r}.",
                call,
                self._http,
                hint="Give its exact name, base and type; `resolve` takes less.",
            )
        return found

    @on_engine
    async def resolve(
        self, model: str | None = None, *, base: str | None = None, type: str | None = None
    ) -> ModelRecord:
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
        if model is None and base is None and type is None:
            raise TypeError("resolve() takes a model's name, key or hash, or a base, or a type")
        call = models.list_models()
        installed = await self._http.send(call)
        fitting = [
            one for one in installed if (base is None or one.base == base) and (type is None or one.type == type)
        ]
        what = " ".join(filter(None, [base, type, "model"]))
        if model is not None:
            others = " and ".join(
                f"a {one.base} {one.type}" for one in installed if model in (one.key, one.hash, one.name)
            )
            return the_one(
                model,
                fitting,
                [lambda one: one.key, lambda one: one.hash, lambda one: one.name],
                what=what,
                id_of=lambda one: one.key,
                call=call,
                http=self._http,
                hint=f"There is {others} model of that name." if others else "",
            )
        if not fitting:
            bases = ", ".join(sorted({f"{one.base} {one.type}" for one in installed})) or "none"
            raise not_there(f"The server has no {what}.", call, self._http, hint=f"Its models are of {bases}.")
        if len(fitting) > 1:
            raise AmbiguousNameError(
                f"The server has {len(fitting)} {what}s.",
                name=what,
                choices=tuple(one.key for one in fitting),
                hint=f"Give the name or key of one: {', '.join(repr(one.name) for one in fitting[:5])}.",
            )
        return fitting[0]

    @on_engine
    async def list_missing_models(self) -> list[ModelRecord]:
        """The installed models whose files are gone.

        Endpoint: GET /api/v2/models/missing (InvokeAI 6.11 or later)
        """
        return await self._http.send(models.list_missing_models())

    # Changing

    @on_engine
    async def update_model(self, model_key: str, changes: Mapping[str, Any]) -> ModelRecord:
        """Change a model's name, description, trigger phrases, default settings and the like.

        Endpoint: PATCH /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
            RejectedError: a change that it does not allow.
        """
        return await self._http.send(models.update_model(model_key, changes))

    @on_engine
    async def reidentify_model(self, model_key: str) -> ModelRecord:
        """Have the server look again at what a model's files are.

        Endpoint: POST /api/v2/models/i/{key}/reidentify (administrators only)

        Raises:
            NotFoundError: there is none of that key.
        """
        return await self._http.send(models.reidentify_model(model_key))

    @on_engine
    async def convert_model(self, key: str) -> ModelRecord:
        """Make a diffusers folder of a checkpoint file.

        It may take minutes: give the client a `timeout` to match.

        Endpoint: PUT /api/v2/models/convert/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
            RejectedError: it is not a checkpoint of a main model.
        """
        # The server answers 424 for a key that is not there.
        await self._http.send(models.get_model(key))
        return await self._http.send(models.convert_model(key))

    @on_engine
    async def delete_model(self, key: str) -> str:
        """Delete a model, and its files if they are below the server's own folder; return its key.

        Endpoint: DELETE /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is none of that key.
        """
        await self._http.send(models.delete_model(key))
        return key

    @on_engine
    async def delete_models(self, keys: str | Sequence[str]) -> DeletedModels:
        """Delete many models; what could not be deleted is told.

        Older servers get one request for each model.

        Endpoint: POST /api/v2/models/i/bulk_delete (administrators only, InvokeAI 6.11 or later)
        """
        keys = several(keys)
        try:
            return await self._http.send(models.delete_models(keys))
        except ApiError as error:
            if error.status not in {404, 405}:
                raise
        deleted, failed = [], []
        for key in keys:
            try:
                await self._http.send(models.delete_model(key))
                deleted.append(key)
            except ApiError as error:
                failed.append({"key": key, "error": str(error)})
        return DeletedModels(deleted=deleted, failed=failed)

    @on_engine
    async def get_cover_image(self, key: str) -> bytes:
        """The image that the web UI shows of a model.

        Endpoint: GET /api/v2/models/i/{key}/image

        Raises:
            NotFoundError: there is no model of that key, or it has no such image.
        """
        call = models.get_cover_image(key)
        if not (await self._http.send(models.get_model(key))).get("cover_image"):
            # The server would answer 500.
            raise not_there(
                f"The model {key!r} has no cover image.",
                call,
                self._http,
                hint="set_cover_image gives it one.",
            )
        return await self._http.send(call)

    @on_engine
    async def set_cover_image(self, key: str, image: str | os.PathLike[str] | bytes) -> None:
        """Choose the image that the web UI shows of a model.

        Endpoint: PATCH /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotAnImageError: it is not an image of a known kind.
            NotFoundError: there is no model of that key.
        """
        content = image if isinstance(image, bytes) else path_of(image)
        await self._http.send(models.get_model(key))
        content_type = await asyncio.to_thread(image_type_of, content)
        await self._http.send(models.set_cover_image(key, content, content_type=content_type))

    @on_engine
    async def delete_cover_image(self, key: str) -> None:
        """Take away the image that the web UI shows of a model.

        Endpoint: DELETE /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotFoundError: there is no model of that key, or it has no image.
        """
        await self._http.send(models.delete_cover_image(key))

    # Relationships

    @on_engine
    async def get_related_models(self, key: str) -> list[str]:
        """The keys of the models that somebody has linked with a model.

        Endpoint: GET /api/v1/model_relationships/i/{model_key}
        """
        return await self._http.send(models.get_related_models(key))

    @on_engine
    async def get_all_related_models(self, keys: str | Sequence[str]) -> list[str]:
        """The keys of the models that are linked with any of these.

        Endpoint: POST /api/v1/model_relationships/batch
        """
        return await self._http.send(models.get_all_related_models(several(keys)))

    @on_engine
    async def link_models(self, key: str, other_key: str) -> None:
        """Link two models: a LoRA with the model it goes with, say.

        Endpoint: POST /api/v1/model_relationships/ (administrators only)

        Raises:
            NotFoundError: there is no model of one of the keys.
            RejectedError: they are the same.
        """
        # The server answers 500 for a key that is not there.
        for one in (key, other_key):
            await self._http.send(models.get_model(one))
        await self._http.send(models.link_models(key, other_key))

    @on_engine
    async def unlink_models(self, key: str, other_key: str) -> None:
        """Undo `link_models`; of models that are not linked, nothing is changed.

        Endpoint: DELETE /api/v1/model_relationships/ (administrators only)
        """
        await self._http.send(models.unlink_models(key, other_key))

    # The server's caches and folders

    @on_engine
    async def get_stats(self) -> ModelCacheStats | None:
        """The cache of loaded models; None until one was loaded.

        Endpoint: GET /api/v2/models/stats (administrators only)
        """
        return await self._http.send(models.get_cache_stats())

    @on_engine
    async def empty_model_cache(self) -> bool:
        """Let go of all loaded models that no node uses; True.

        Endpoint: POST /api/v2/models/empty_model_cache (administrators only)
        """
        await self._http.send(models.empty_model_cache())
        return True

    @on_engine
    async def list_orphaned_models(self) -> list[OrphanedModel]:
        """The folders below the server's models that no installed model owns.

        Endpoint: GET /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)
        """
        return await self._http.send(models.list_orphaned_models())

    @on_engine
    async def delete_orphaned_models(self, paths: str | Sequence[str]) -> DeletedOrphans:
        """Delete such folders, with their files.

        Endpoint: DELETE /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)

        Args:
            paths: as `list_orphaned_models` names them.
        """
        return await self._http.send(models.delete_orphaned_models(several(paths)))
