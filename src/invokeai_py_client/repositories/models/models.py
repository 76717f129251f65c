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

    # Listing and finding

    @on_engine
    async def list_models(
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
        bases = tuple(several(base or ()))
        filters = {"base_models": bases or None, "model_type": type, "model_format": format, "model_name": name}
        return await self._http.send(models.list_models(filters))

    @on_engine
    async def get_model_by_key(self, model_key: str) -> ModelRecord:
        """Return a model by its key.

        Endpoint: GET /api/v2/models/i/{key}

        Raises:
            NotFoundError: there is no model with that key.
        """
        return await self._http.send(models.get_model(model_key))

    @on_engine
    async def get_model_by_hash(self, hash: str) -> ModelRecord:
        """Return a model by the hash of its files, such as `blake3:...`.

        Endpoint: GET /api/v2/models/get_by_hash

        Raises:
            NotFoundError: there is no model with that hash.
        """
        return await self._http.send(models.get_model_by_hash(hash))

    @on_engine
    async def get_model_by_attributes(self, name: str, base: str, type: str) -> ModelRecord:
        """Return a model by its name, base and type.

        Endpoint: GET /api/v2/models/get_by_attrs

        Raises:
            NotFoundError: there is no such model.
        """
        call = models.get_model_by_attributes(name, base, type)
        found = await self._http.send(call)
        if (found.name, found.base, found.type) != (name, base, type):
            # The server would treat an empty value as a wildcard.
            raise not_there(
                f"The server does not have the {base} {type} model {name!r}.",
                call,
                self._http,
                hint="Pass the exact name, base and type, or use resolve(), which needs only one of them.",
            )
        return found

    @on_engine
    async def resolve(
        self, model: str | None = None, *, base: str | None = None, type: str | None = None
    ) -> ModelRecord:
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
        if model is None and base is None and type is None:
            raise TypeError("resolve() needs a name, key or hash, or a base, or a type")
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
                hint=f"There is {others} model with that name." if others else "",
            )
        if not fitting:
            bases = ", ".join(sorted({f"{one.base} {one.type}" for one in installed})) or "none"
            raise not_there(f"The server has no {what}.", call, self._http, hint=f"Its models are of {bases}.")
        if len(fitting) > 1:
            raise AmbiguousNameError(
                f"The server has {len(fitting)} {what}s.",
                name=what,
                choices=tuple(one.key for one in fitting),
                hint=f"Pass the name or key of one: {', '.join(repr(one.name) for one in fitting[:5])}.",
            )
        return fitting[0]

    @on_engine
    async def list_missing_models(self) -> list[ModelRecord]:
        """Return the installed models whose files are missing.

        Endpoint: GET /api/v2/models/missing (InvokeAI 6.11 or later)
        """
        return await self._http.send(models.list_missing_models())

    # Changing

    @on_engine
    async def update_model(self, model_key: str, changes: Mapping[str, Any]) -> ModelRecord:
        """Change a model's name, description, trigger phrases, default settings and so on.

        Endpoint: PATCH /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
            RejectedError: the server does not allow the change.
        """
        return await self._http.send(models.update_model(model_key, changes))

    @on_engine
    async def reidentify_model(self, model_key: str) -> ModelRecord:
        """Detect the type and format of a model's files again.

        Endpoint: POST /api/v2/models/i/{key}/reidentify (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
        """
        return await self._http.send(models.reidentify_model(model_key))

    @on_engine
    async def convert_model(self, key: str) -> ModelRecord:
        """Convert a checkpoint file to a diffusers folder.

        This may take minutes, so the client's `timeout` must be long enough.

        Endpoint: PUT /api/v2/models/convert/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
            RejectedError: it is not a checkpoint of a main model.
        """
        # The server responds with status 424 for an unknown key.
        await self._http.send(models.get_model(key))
        return await self._http.send(models.convert_model(key))

    @on_engine
    async def delete_model(self, key: str) -> str:
        """Delete a model, and its files if they are in the server's models folder; return its key.

        Endpoint: DELETE /api/v2/models/i/{key} (administrators only)

        Raises:
            NotFoundError: there is no model with that key.
        """
        await self._http.send(models.delete_model(key))
        return key

    @on_engine
    async def delete_models(self, keys: str | Sequence[str]) -> DeletedModels:
        """Delete many models. On older servers, each is deleted by a request of its own.

        Endpoint: POST /api/v2/models/i/bulk_delete (administrators only, InvokeAI 6.11 or later)

        Returns:
            The models that were deleted, and those that could not be deleted, with errors.
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
        """Return the cover image of a model in the web UI, as an image file.

        Endpoint: GET /api/v2/models/i/{key}/image

        Raises:
            NotFoundError: there is no model with that key, or it has no cover image.
        """
        call = models.get_cover_image(key)
        if not (await self._http.send(models.get_model(key))).get("cover_image"):
            # The server would respond with status 500.
            raise not_there(
                f"The model {key!r} has no cover image.",
                call,
                self._http,
                hint="Set one with set_cover_image().",
            )
        return await self._http.send(call)

    @on_engine
    async def set_cover_image(self, key: str, image: str | os.PathLike[str] | bytes) -> None:
        """Set the cover image of a model in the web UI.

        Endpoint: PATCH /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotAnImageError: the image does not have a known format.
            NotFoundError: there is no model with that key.
        """
        content = image if isinstance(image, bytes) else path_of(image)
        await self._http.send(models.get_model(key))
        content_type = await asyncio.to_thread(image_type_of, content)
        await self._http.send(models.set_cover_image(key, content, content_type=content_type))

    @on_engine
    async def delete_cover_image(self, key: str) -> None:
        """Remove the cover image of a model.

        Endpoint: DELETE /api/v2/models/i/{key}/image (administrators only)

        Raises:
            NotFoundError: there is no model with that key, or it has no cover image.
        """
        await self._http.send(models.delete_cover_image(key))

    # Relationships

    @on_engine
    async def get_related_models(self, key: str) -> list[str]:
        """Return the keys of the models that are linked to a model.

        Endpoint: GET /api/v1/model_relationships/i/{model_key}
        """
        return await self._http.send(models.get_related_models(key))

    @on_engine
    async def get_all_related_models(self, keys: str | Sequence[str]) -> list[str]:
        """Return the keys of the models that are linked to any of these models.

        Endpoint: POST /api/v1/model_relationships/batch
        """
        return await self._http.send(models.get_all_related_models(several(keys)))

    @on_engine
    async def link_models(self, key: str, other_key: str) -> None:
        """Link two models, for example a LoRA and the main model that it belongs to.

        Endpoint: POST /api/v1/model_relationships/ (administrators only)

        Raises:
            NotFoundError: one of the models does not exist.
            RejectedError: both keys are the same.
        """
        # The server responds with status 500 for an unknown key.
        for one in (key, other_key):
            await self._http.send(models.get_model(one))
        await self._http.send(models.link_models(key, other_key))

    @on_engine
    async def unlink_models(self, key: str, other_key: str) -> None:
        """Undo `link_models`. Does nothing if the models are not linked.

        Endpoint: DELETE /api/v1/model_relationships/ (administrators only)
        """
        await self._http.send(models.unlink_models(key, other_key))

    # The server's caches and folders

    @on_engine
    async def get_stats(self) -> ModelCacheStats | None:
        """Return statistics of the cache of loaded models; None before the first model was loaded.

        Endpoint: GET /api/v2/models/stats (administrators only)
        """
        return await self._http.send(models.get_cache_stats())

    @on_engine
    async def empty_model_cache(self) -> bool:
        """Unload all models that are not in use by a node. Returns True.

        Endpoint: POST /api/v2/models/empty_model_cache (administrators only)
        """
        await self._http.send(models.empty_model_cache())
        return True

    @on_engine
    async def list_orphaned_models(self) -> list[OrphanedModel]:
        """Return the folders in the server's models folder that do not belong to an installed model.

        Endpoint: GET /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)
        """
        return await self._http.send(models.list_orphaned_models())

    @on_engine
    async def delete_orphaned_models(self, paths: str | Sequence[str]) -> DeletedOrphans:
        """Delete folders that do not belong to an installed model.

        Endpoint: DELETE /api/v2/models/sync/orphaned (administrators only, InvokeAI 6.11 or later)

        Args:
            paths: the folders, as in `list_orphaned_models`.
        """
        return await self._http.send(models.delete_orphaned_models(several(paths)))
