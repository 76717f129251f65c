"""Routes of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.secret import Secret
from invokeai_py_client.wire import records
from invokeai_py_client.wire.call import GONE, Call, Part, Query, Response, api_path, get, idempotent
from invokeai_py_client.wire.reading import content as the_bytes
from invokeai_py_client.wire.reading import list_of, nothing, record, record_or_none, texts

_NO_FOLDER = "error: path does not exist"
"""The server's message for an orphaned folder that does not exist."""


def list_models(filters: Query | None = None) -> Call[list[records.models.ModelRecord]]:
    """`GET /api/v2/models/`: all installed models that match the query `filters`."""
    return get(api_path("models", version=2) + "/", list_of(records.models.ModelRecord, under="models"), filters or {})


def get_model(key: str) -> Call[records.models.ModelRecord]:
    """`GET /api/v2/models/i/{key}`."""
    return get(api_path("models", "i", key, version=2), record(records.models.ModelRecord))


def get_model_by_hash(hash: str) -> Call[records.models.ModelRecord]:
    """`GET /api/v2/models/get_by_hash`."""
    return get(api_path("models", "get_by_hash", version=2), record(records.models.ModelRecord), {"hash": hash})


def get_model_by_attributes(name: str, base: str, type: str) -> Call[records.models.ModelRecord]:
    """`GET /api/v2/models/get_by_attrs`."""
    return get(
        api_path("models", "get_by_attrs", version=2),
        record(records.models.ModelRecord),
        {"name": name, "type": type, "base": base},
    )


def list_missing_models() -> Call[list[records.models.ModelRecord]]:
    """`GET /api/v2/models/missing`: models whose files are missing. Servers from 6.11."""
    return get(api_path("models", "missing", version=2), list_of(records.models.ModelRecord, under="models"))


def update_model(key: str, changes: Mapping[str, Any]) -> Call[records.models.ModelRecord]:
    """`PATCH /api/v2/models/i/{key}`: changes name, description, trigger phrases, default settings and so on."""
    return idempotent(
        "PATCH", api_path("models", "i", key, version=2), record(records.models.ModelRecord), body=dict(changes)
    )


def delete_model(key: str) -> Call[None]:
    """`DELETE /api/v2/models/i/{key}`: deletes a model, and its files if they are in the server's models folder."""
    return idempotent("DELETE", api_path("models", "i", key, version=2), nothing, done_statuses=GONE)


def delete_models(keys: Sequence[str]) -> Call[records.models.DeletedModels]:
    """`POST /api/v2/models/i/bulk_delete`: deletes many models. Servers from 6.11.

    Not retried, as the server would report models that an earlier attempt deleted as failed.
    """
    return Call(
        "POST",
        api_path("models", "i", "bulk_delete", version=2),
        record(records.models.DeletedModels),
        body={"keys": list(keys)},
    )


def reidentify_model(key: str) -> Call[records.models.ModelRecord]:
    """`POST /api/v2/models/i/{key}/reidentify`: detects the type and format of the files again."""
    return idempotent("POST", api_path("models", "i", key, "reidentify", version=2), record(records.models.ModelRecord))


def convert_model(key: str) -> Call[records.models.ModelRecord]:
    """`PUT /api/v2/models/convert/{key}`: converts a checkpoint to a diffusers folder, with the same key."""
    return Call("PUT", api_path("models", "convert", key, version=2), record(records.models.ModelRecord))


def get_cover_image(key: str) -> Call[bytes]:
    """`GET /api/v2/models/i/{key}/image`: the cover image in the web UI."""
    return get(api_path("models", "i", key, "image", version=2), the_bytes)


def set_cover_image(key: str, content: bytes | Path, *, content_type: str) -> Call[None]:
    """`PATCH /api/v2/models/i/{key}/image`."""
    return idempotent(
        "PATCH",
        api_path("models", "i", key, "image", version=2),
        nothing,
        parts=(Part("image", content, "cover", content_type),),
    )


def delete_cover_image(key: str) -> Call[None]:
    """`DELETE /api/v2/models/i/{key}/image`."""
    return idempotent("DELETE", api_path("models", "i", key, "image", version=2), nothing, done_statuses=GONE)


def install_model(
    source: str,
    *,
    inplace: bool = False,
    access_token: Secret | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Call[records.models.InstallJobRecord]:
    """`POST /api/v2/models/install`: starts an installation. Not idempotent."""
    return Call(
        "POST",
        api_path("models", "install", version=2),
        record(records.models.InstallJobRecord),
        query={"source": source, "inplace": inplace, "access_token": access_token},
        body=dict(changes or {}),
        has_secrets=True,
    )


def list_install_jobs() -> Call[list[records.models.InstallJobRecord]]:
    """`GET /api/v2/models/install`: all installations since the server was started."""
    return get(api_path("models", "install", version=2), list_of(records.models.InstallJobRecord))


def get_install_job(job_id: int | str) -> Call[records.models.InstallJobRecord]:
    """`GET /api/v2/models/install/{job_id}`."""
    return get(api_path("models", "install", job_id, version=2), record(records.models.InstallJobRecord))


def cancel_install_job(job_id: int) -> Call[None]:
    """`DELETE /api/v2/models/install/{job_id}`."""
    return idempotent("DELETE", api_path("models", "install", job_id, version=2), nothing)


def prune_install_jobs() -> Call[None]:
    """`DELETE /api/v2/models/install`: removes installations that have ended from the list."""
    return idempotent("DELETE", api_path("models", "install", version=2), nothing)


def pause_install_job(job_id: int) -> Call[records.models.InstallJobRecord]:
    """`POST /api/v2/models/install/{job_id}/pause`: keeps the downloaded part. Servers from 6.11."""
    return idempotent(
        "POST", api_path("models", "install", job_id, "pause", version=2), record(records.models.InstallJobRecord)
    )


def resume_install_job(job_id: int) -> Call[records.models.InstallJobRecord]:
    """`POST /api/v2/models/install/{job_id}/resume`. Servers from 6.11."""
    return idempotent(
        "POST", api_path("models", "install", job_id, "resume", version=2), record(records.models.InstallJobRecord)
    )


def restart_failed_downloads(job_id: int) -> Call[records.models.InstallJobRecord]:
    """`POST /api/v2/models/install/{job_id}/restart_failed`: retries the failed downloads. Servers from 6.11."""
    return idempotent(
        "POST",
        api_path("models", "install", job_id, "restart_failed", version=2),
        record(records.models.InstallJobRecord),
    )


def restart_download(job_id: int, file_source: str) -> Call[records.models.InstallJobRecord]:
    """`POST /api/v2/models/install/{job_id}/restart_file`: downloads a file again, by its URL. Servers from 6.11."""
    return idempotent(
        "POST",
        api_path("models", "install", job_id, "restart_file", version=2),
        record(records.models.InstallJobRecord),
        body=file_source,
        has_secrets=True,
    )


def list_starter_models() -> Call[list[records.models.StarterModel]]:
    """`GET /api/v2/models/starter_models`: the models that InvokeAI recommends."""
    return get(
        api_path("models", "starter_models", version=2), list_of(records.models.StarterModel, under="starter_models")
    )


def list_hugging_face_files(repository: str) -> Call[records.models.HuggingFaceFiles]:
    """`GET /api/v2/models/hugging_face`: the server requests huggingface.co."""
    return get(
        api_path("models", "hugging_face", version=2),
        record(records.models.HuggingFaceFiles),
        {"hugging_face_repo": repository},
    )


def scan_folder(folder: str) -> Call[list[records.models.FoundModel]]:
    """`GET /api/v2/models/scan_folder`: a folder of the server's machine. For administrators."""
    return get(api_path("models", "scan_folder", version=2), list_of(records.models.FoundModel), {"scan_path": folder})


def get_cache_stats() -> Call[records.models.ModelCacheStats | None]:
    """`GET /api/v2/models/stats`: statistics of the model cache; null before a model was loaded."""
    return get(api_path("models", "stats", version=2), record_or_none(records.models.ModelCacheStats))


def empty_model_cache() -> Call[None]:
    """`POST /api/v2/models/empty_model_cache`: unloads the models that are not in use."""
    return idempotent("POST", api_path("models", "empty_model_cache", version=2), nothing)


def list_orphaned_models() -> Call[list[records.models.OrphanedModel]]:
    """`GET /api/v2/models/sync/orphaned`: folders that do not belong to a model. Servers from 6.11."""
    return get(api_path("models", "sync", "orphaned", version=2), list_of(records.models.OrphanedModel))


def delete_orphaned_models(paths: Sequence[str]) -> Call[records.models.DeletedOrphans]:
    """`DELETE /api/v2/models/sync/orphaned`: deletes such folders with their files. Servers from 6.11."""
    return idempotent(
        "DELETE", api_path("models", "sync", "orphaned", version=2), _deleted_orphans, body={"paths": list(paths)}
    )


def get_hf_status() -> Call[str]:
    """`GET /api/v2/models/hf_login`: `valid`, `invalid` or `unknown`."""
    return get(api_path("models", "hf_login", version=2), _status)


def hf_login(token: Secret) -> Call[str]:
    """`POST /api/v2/models/hf_login`: stores a token on the server."""
    return idempotent(
        "POST", api_path("models", "hf_login", version=2), _status, body={"token": token}, has_secrets=True
    )


def hf_logout() -> Call[str]:
    """`DELETE /api/v2/models/hf_login`."""
    return idempotent("DELETE", api_path("models", "hf_login", version=2), _status)


def get_related_models(key: str) -> Call[list[str]]:
    """`GET /api/v1/model_relationships/i/{key}`: the keys of the models that are linked to it."""
    return get(api_path("model_relationships", "i", key), texts)


def get_all_related_models(keys: Sequence[str]) -> Call[list[str]]:
    """`POST /api/v1/model_relationships/batch`: the keys of the models that are linked to any of these."""
    return idempotent("POST", api_path("model_relationships", "batch"), texts, body={"model_keys": list(keys)})


def link_models(key: str, other_key: str) -> Call[None]:
    """`POST /api/v1/model_relationships/`: links two models, in both directions."""
    return idempotent(
        method="POST",
        path=api_path("model_relationships") + "/",
        body={"model_key_1": key, "model_key_2": other_key},
        # Servers with a recent Starlette fail to compress an empty response.
        headers={"Accept-Encoding": "identity"},
        parse=nothing,
        # The link exists already.
        done_statuses=frozenset({409}),
    )


def unlink_models(key: str, other_key: str) -> Call[None]:
    """`DELETE /api/v1/model_relationships/`."""
    return idempotent(
        "DELETE",
        api_path("model_relationships") + "/",
        nothing,
        body={"model_key_1": key, "model_key_2": other_key},
        done_statuses=GONE,
    )


def _deleted_orphans(response: Response) -> records.models.DeletedOrphans:
    result = records.models.DeletedOrphans.model_validate(response.json())
    if not response.is_repeat:
        return result
    gone = [path for path, why in result.errors.items() if why == _NO_FOLDER]
    return records.models.DeletedOrphans(
        deleted=[*result.deleted, *gone],
        errors={path: why for path, why in result.errors.items() if path not in gone},
    )


def _status(response: Response) -> str:
    return str(response.json())
