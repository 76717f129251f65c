"""Models on the real server: found, installed from a path and a URL, changed, deleted."""

from __future__ import annotations

import http.server
import io
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.local import LocalServer
from invokeai_py_client.wire.records.models import InstallJobRecord, ModelRecord

SEEN_BY = ("anyone", "an administrator")


def write_lora(path: Path, *, weight: int = 0) -> Path:
    """A LoRA for Stable Diffusion 1 that does nothing, in the safetensors format."""
    shapes = {"lora_down": [4, 768], "lora_up": [768, 4]}
    header: dict[str, object] = {"__metadata__": {"weight": str(weight)}}
    size = 0
    for kind, shape in shapes.items():
        count = 2 * shape[0] * shape[1]
        name = f"lora_te_text_model_encoder_layers_0_self_attn_k_proj.{kind}.weight"
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [size, size + count]}
        size += count
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes([weight]) * size)
    return path


@pytest.fixture
def lora(client: InvokeAIClient, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ModelRecord]:
    """A LoRA of the test's own, installed."""
    path = write_lora(tmp_path / "tiger-stripes.safetensors", weight=hash(request.node.name) % 200 + 1)
    model = client.dnn_model_repo.install_model(path, {"name": "tiger-stripes"}).wait_until(60)
    yield model
    if model.key in [one.key for one in client.dnn_model_repo.list_models()]:
        client.dnn_model_repo.delete_model(model.key)


@pytest.fixture
def main_model(client: InvokeAIClient) -> ModelRecord:
    return client.dnn_model_repo.resolve(base="sd-1", type="main")


def test_models_are_found_and_filtered(client: InvokeAIClient, main_model: ModelRecord, lora: ModelRecord) -> None:
    repo = client.dnn_model_repo
    assert (lora.name, lora.base, lora.type) == ("tiger-stripes", "sd-1", "lora")
    assert {main_model.key, lora.key} <= {model.key for model in repo.list_models()}
    assert [model.key for model in repo.list_models(type="lora")] == [lora.key]
    assert repo.list_models(base="sdxl") == []
    assert lora.key in {model.key for model in repo.list_models(base=["sdxl", "sd-1"])}
    assert [model.key for model in repo.list_models(name="tiger-stripes")] == [lora.key]
    assert main_model.key in {model.key for model in repo.list_models(format="diffusers")}
    assert repo.get_model_by_key(lora.key).name == "tiger-stripes"
    assert repo.get_model_by_hash(lora.hash).key == lora.key
    assert repo.get_model_by_attributes("tiger-stripes", "sd-1", "lora").key == lora.key
    with pytest.raises(errors.RejectedError):
        repo.list_models(type="nonsense")


def test_one_model_is_meant(client: InvokeAIClient, main_model: ModelRecord, lora: ModelRecord, tmp_path: Path) -> None:
    repo = client.dnn_model_repo
    for way in (lora.key, lora.hash, lora.name):
        assert repo.resolve(way).key == lora.key
    assert repo.resolve(type="lora").key == lora.key
    with pytest.raises(errors.NotFoundError, match="Did you mean 'tiger-stripes'"):
        repo.resolve("tiger-stripe")
    assert repo.resolve("TIGER-STRIPES").key == lora.key
    with pytest.raises(errors.NotFoundError, match="There is a sd-1 lora model with that name"):
        repo.resolve("tiger-stripes", base="sdxl")
    with pytest.raises(LookupError, match="sdxl main model"):
        repo.resolve(base="sdxl", type="main")
    path = write_lora(tmp_path / "other.safetensors", weight=201)
    other = repo.install_model(path, {"name": "tiger-spots"}).wait_until(60)
    with pytest.raises(errors.AmbiguousNameError) as caught:
        repo.resolve(type="lora")
    assert set(caught.value.choices) == {lora.key, other.key}
    answer = repo.delete_models([other.key, "none"])
    assert (answer.deleted, [one["key"] for one in answer.failed]) == ([other.key], ["none"])


@pytest.mark.parametrize("key", ["none", "../x", "a\0b", "/etc/passwd", ""])
def test_a_model_that_does_not_exist(client: InvokeAIClient, key: str) -> None:
    repo = client.dnn_model_repo
    asks = (repo.get_model_by_key, repo.delete_model, repo.get_cover_image, repo.convert_model, repo.reidentify_model)
    for ask in asks:
        with pytest.raises((errors.NotFoundError, errors.UnsafePathError)):
            ask(key)
    with pytest.raises((errors.NotFoundError, errors.UnsafePathError)):
        repo.update_model(key, {"name": "x"})
    with pytest.raises((errors.NotFoundError, errors.UnsafePathError)):
        repo.set_cover_image(key, b"\x89PNG\r\n\x1a\n")
    with pytest.raises(errors.NotFoundError):
        repo.get_model_by_hash(key)
    with pytest.raises(errors.NotFoundError):
        repo.get_model_by_attributes(key, "sd-1", "main")
    with pytest.raises(errors.NotFoundError):
        repo.resolve(key)


def test_a_model_is_changed(client: InvokeAIClient, lora: ModelRecord, main_model: ModelRecord) -> None:
    repo = client.dnn_model_repo
    changed = repo.update_model(lora.key, {"description": "of a tiger", "trigger_phrases": ["tiger"]})
    assert (changed["description"], changed["trigger_phrases"]) == ("of a tiger", ["tiger"])
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (64, 64), (200, 0, 0)).save(buffer, "PNG")
    repo.set_cover_image(lora.key, buffer.getvalue())
    assert repo.get_cover_image(lora.key)[8:12] == b"WEBP"
    repo.delete_cover_image(lora.key)
    with pytest.raises(errors.NotFoundError):
        repo.get_cover_image(lora.key)
    assert repo.reidentify_model(lora.key).type == "lora"
    repo.link_models(lora.key, main_model.key)
    assert repo.get_related_models(lora.key) == [main_model.key]
    assert repo.get_all_related_models([lora.key, main_model.key])
    repo.unlink_models(lora.key, main_model.key)
    assert repo.get_related_models(lora.key) == []
    with pytest.raises(errors.RejectedError):
        repo.convert_model(main_model.key)
    with pytest.raises(errors.NotFoundError):
        repo.link_models(lora.key, "none")


def test_what_means_no_model_is_refused(client: InvokeAIClient) -> None:
    repo = client.dnn_model_repo
    with pytest.raises(ValueError, match="empty"):
        repo.install_model(" ")
    with pytest.raises(TypeError, match="name, key or hash"):
        repo.resolve()
    with pytest.raises(errors.RejectedError):
        repo.get_install_job("none")


def test_an_installation_that_fails_is_reported(client: InvokeAIClient, lora: ModelRecord, tmp_path: Path) -> None:
    repo = client.dnn_model_repo
    with pytest.raises(errors.RejectedError):
        repo.install_model(tmp_path / "none.safetensors")
    path = write_lora(tmp_path / "twice.safetensors", weight=209)
    once = repo.install_model(path, inplace=True).wait_until(60)
    job = repo.install_model(path, inplace=True)
    with pytest.raises(errors.InstallFailed, match=r"twice\.safetensors") as caught:
        job.wait_until(60)
    repo.delete_model(once.key)
    assert caught.value.job_id == job.job_id
    assert caught.value.error_message
    assert caught.value.error_message.rstrip(".") in str(caught.value)
    assert "resolve() finds it" in str(caught.value)
    assert job.status == "error"
    with pytest.raises(errors.InstallFailed):
        job.result()
    with pytest.raises(errors.NotFoundError):
        repo.get_install_job(10**6)


def test_what_is_not_a_model_is_reported_in_the_servers_words(client: InvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print()")
    job = client.dnn_model_repo.install_model(tmp_path / "script.py")
    with pytest.raises(errors.InstallFailed, match=r"script\.py'.*\.py is not a recognized"):
        job.wait_until(60)


def test_a_path_may_be_relative_to_this_machines_folder(
    client: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    write_lora(tmp_path / "sub" / "near.safetensors", weight=211)
    write_lora(tmp_path / "home.safetensors", weight=212)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    repo = client.dnn_model_repo
    for source in (Path("sub/near.safetensors"), "./sub/near.safetensors", "~/home.safetensors"):
        model = repo.install_model(source, inplace=True).wait_until(60)
        assert model.path is not None
        assert Path(model.path).is_relative_to(tmp_path)
        assert repo.delete_model(model.key)


def test_what_has_ended_is_not_cancelled(client: InvokeAIClient, lora: ModelRecord) -> None:
    repo = client.dnn_model_repo
    job = next(job for job in repo.list_install_jobs() if job.status == "completed" and job.result().key == lora.key)
    assert job.cancel() is False
    assert job.wait_until(60).key == lora.key
    assert repo.get_install_job(job.job_id).status == "completed"


def test_jobs_are_listed_and_forgotten(client: InvokeAIClient, lora: ModelRecord) -> None:
    repo = client.dnn_model_repo
    jobs = [job for job in repo.list_install_jobs() if job.status == "completed"]
    job = next(job for job in jobs if job.result().key == lora.key)
    assert job.progress() == 100.0
    assert repo.get_install_job(str(job.job_id)).refresh().status == "completed"
    repo.prune_install_jobs()
    assert job.job_id not in [other.job_id for other in repo.list_install_jobs()]
    for forgotten in (job.refresh, job.cancel, job.pause, job.resume, job.restart_failed):
        with pytest.raises(errors.NotFoundError):
            forgotten()


class SlowFiles:
    """Serves one file, of which the second half comes when it is let; it can be made to fail."""

    def __init__(self, content: bytes) -> None:
        self.go_on = threading.Event()
        self.fails = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()
                half = len(content) // 2
                self.wfile.write(content[:half])
                outer.go_on.wait(60)
                self.wfile.write(content[half:])

            def answer(self) -> None:
                self.send_response(403 if outer.fails and self.command == "GET" else 200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/model.safetensors"

    def __enter__(self) -> SlowFiles:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def test_a_download_tells_its_progress(client: InvokeAIClient, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "model.safetensors", weight=202)
    seen: list[InstallJobRecord] = []
    with SlowFiles(path.read_bytes()) as files:
        job = client.dnn_model_repo.install_model(files.url, {"name": "from-url"}, access_token="hf_secret")

        def progress(record: InstallJobRecord) -> None:
            seen.append(record)
            if record.status == "downloading":
                files.go_on.set()

        model = job.wait_until(60, progress_callback=progress)
    assert model.name == "from-url"
    assert [record.status for record in seen][-1] == "completed"
    assert "downloading" in [record.status for record in seen]
    assert job.record.total_bytes == path.stat().st_size
    for shown in (repr(job.record), job.record.model_dump_json(), *map(repr, seen)):
        assert "secret" not in shown
    client.dnn_model_repo.delete_model(model.key)


def test_secrets_in_an_address_are_not_told(client: InvokeAIClient) -> None:
    with SlowFiles(b"nothing") as files:
        files.fails = True
        address = files.url.replace("http://", "http://joe:pw_secret@") + "?type=Model&api_token=query_secret"
        job = client.dnn_model_repo.install_model(address)
        with pytest.raises(errors.InstallFailed, match=r"/model\.safetensors\?type=Model") as caught:
            job.wait_until(60)
    told = [str(caught.value), repr(caught.value.__dict__), repr(job), repr(job.record), job.record.model_dump_json()]
    assert not [text for text in told if "secret" in text]


def test_an_installation_is_cancelled(client: InvokeAIClient, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "model.safetensors", weight=203)
    with SlowFiles(path.read_bytes()) as files:
        job = client.dnn_model_repo.install_model(files.url)
        with pytest.raises(errors.InstallTimeout):
            job.wait_until(0.3, poll_interval=0.1)
        assert job.cancel() is True
        files.go_on.set()
        with pytest.raises(errors.InstallFailed, match="canceled"):
            job.wait_until(60)
    assert job.status in {"cancelled", "error"}


def test_an_installation_is_paused_and_resumed(client: InvokeAIClient, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "model.safetensors", weight=204)
    with SlowFiles(path.read_bytes()) as files:
        job = client.dnn_model_repo.install_model(files.url, {"name": "paused"})
        while job.refresh().status == "waiting":
            pass
        job.pause()
        files.go_on.set()
        assert job.refresh().status == "paused"
        with pytest.raises(errors.InstallTimeout, match=r"resume\(\)"):
            job.wait_until(0.2)
        job.resume()
        model = job.wait_until(60)
    client.dnn_model_repo.delete_model(model.key)


def test_a_download_that_failed_is_started_again(client: InvokeAIClient, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "model.safetensors", weight=210)
    with SlowFiles(path.read_bytes()) as files:
        files.go_on.set()
        files.fails = True
        job = client.dnn_model_repo.install_model(files.url, {"name": "anew"})
        with pytest.raises(errors.InstallFailed):
            job.wait_until(60)
        files.fails = False
        # It restarts only what can be resumed, and a file that was refused cannot.
        job.restart_failed()
        assert job.status == "error"
        job.restart_file(files.url)
        model = job.wait_until(60)
    client.dnn_model_repo.delete_model(model.key)


def test_folders_of_the_server(client: InvokeAIClient, main_model: ModelRecord, tmp_path: Path) -> None:
    repo = client.dnn_model_repo
    write_lora(tmp_path / "found.safetensors", weight=205)
    found = repo.scan_folder(str(tmp_path))
    assert [(Path(one.path).name, one.is_installed) for one in found] == [("found.safetensors", False)]
    with pytest.raises(errors.RejectedError):
        repo.scan_folder(str(tmp_path / "none"))
    assert repo.list_missing_models() == []


def test_orphaned_folders_are_found_and_deleted(client: InvokeAIClient, its_server: LocalServer) -> None:
    server_models = its_server.root / "models"
    (server_models / "left").mkdir(exist_ok=True)
    write_lora(server_models / "left" / "alone.safetensors", weight=206)
    (orphan,) = [one for one in client.dnn_model_repo.list_orphaned_models() if "left" in one.path]
    assert orphan.size_bytes > 0
    assert client.dnn_model_repo.delete_orphaned_models([orphan.path]).deleted == [orphan.path]
    assert not (server_models / "left").exists()


def test_a_model_whose_files_are_gone_is_missing(client: InvokeAIClient, tmp_path: Path) -> None:
    path = write_lora(tmp_path / "going.safetensors", weight=207)
    model = client.dnn_model_repo.install_model(path, inplace=True).wait_until(60)
    path.unlink()
    assert [one.key for one in client.dnn_model_repo.list_missing_models()] == [model.key]
    client.dnn_model_repo.delete_model(model.key)


def test_what_can_be_installed(client: InvokeAIClient) -> None:
    starters = client.dnn_model_repo.list_starter_models()
    assert len(starters) > 20
    with pytest.raises(errors.NotFoundError, match="Did you mean"):
        client.dnn_model_repo.install_starter_model(starters[0].name + "x")


def test_the_cache_of_models(client: InvokeAIClient) -> None:
    client.dnn_model_repo.empty_model_cache()
    stats = client.dnn_model_repo.get_stats()
    assert stats is None or stats.cache_size >= 0


def test_a_server_that_may_not_ask_hugging_face(client: InvokeAIClient) -> None:
    repo = client.dnn_model_repo
    assert repo.hf_status() in {"valid", "invalid", "unknown"}
    assert repo.hf_logout() is True
    with pytest.raises(errors.InvokeAIError):
        repo.list_hugging_face_files("owner/none")
    with pytest.raises(errors.InvokeAIError):
        repo.install_huggingface("owner/none").wait_until(60)


async def test_the_awaited_face(client: InvokeAIClient, tmp_path: Path) -> None:
    repo = client.aio.dnn_model_repo
    path = write_lora(tmp_path / "awaited.safetensors", weight=208)
    job = await repo.install_model(path)
    model = await job.wait_until(60)
    assert (job.job_id, job.status, job.progress()) == (job.record.id, "completed", 100.0)
    assert job.job_id in [other.job_id for other in await repo.list_install_jobs()]
    assert (await repo.resolve(model.key)).name == "awaited"
    await repo.delete_model(model.key)
    shutil.rmtree(tmp_path, ignore_errors=True)
