import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from camelid import __version__
from camelid.cli.doctor.machine import gpus
from camelid.settings import Settings
from camelid.store.manifest import Layer, Manifest
from camelid.store.store import Store
from camelid.types.names import ModelName

ECHO = "camelid/echo"
CLEAN = {"HTTP_PROXY": "", "HTTPS_PROXY": "", "NO_PROXY": "", "http_proxy": "", "https_proxy": "", "no_proxy": ""}


def findings(run, subject: str) -> list[tuple[str, str]]:
    """Status and message of each finding about a subject."""
    report = json.loads(run.stdout)
    return [(each["status"], each["message"]) for each in report["findings"] if each["subject"] == subject]


def test_on_a_new_machine_nothing_is_wrong_and_nothing_is_made(camelid, tmp_path: Path):
    run = camelid("doctor", **CLEAN)
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0].startswith(f"ok      version    Camelid {__version__}, Python 3.")
    assert f"{tmp_path}/models does not exist yet" in run.stdout
    assert "no server runs at http://127.0.0.1:1;" in run.stdout
    assert "problem" not in run.stdout
    assert "IGNORED" not in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_setting_has_its_value_and_its_source(camelid, tmp_path: Path):
    file = tmp_path / "own.toml"
    file.write_text('keep_alive = "-1s"\nmax_queue = 7')
    changes = {"CAMELID_CONFIG": str(file), "OLLAMA_MAX_QUEUE": "8", "CAMELID_PLUGINS": "echo,packaged"}
    rows = json.loads(camelid("doctor", "--json", **changes).stdout)["settings"]
    assert [row["name"] for row in rows] == [*Settings.__struct_fields__]
    by_name = {row["name"]: (row["value"], row["source"]) for row in rows}
    assert by_name["keep_alive"] == ("forever", str(file))
    assert by_name["max_queue"] == (8, "OLLAMA_MAX_QUEUE")
    assert by_name["plugins"] == (["echo", "packaged"], "CAMELID_PLUGINS")
    assert by_name["models"] == (str(tmp_path / "models"), "OLLAMA_MODELS")
    assert by_name["context_length"] == (4096, "default")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CAMELID_HOSTT": "x"}, "the variable CAMELID_HOSTT is no setting of Camelid; did you mean CAMELID_HOST?"),
        ({"OLLAMA_KEEP_ALIVE": "soon"}, "OLLAMA_KEEP_ALIVE must be seconds, or a duration"),
    ],
)
def test_wrong_settings_are_a_problem_and_the_rest_is_looked_at(camelid, changes: dict[str, str], message: str):
    run = camelid("doctor", "--json", **changes)
    assert run.returncode == 1
    assert json.loads(run.stdout)["healthy"] is False
    ((status, text),) = findings(run, "settings")
    assert (status, text[: len(message)]) == ("problem", message)
    assert findings(run, "version")
    assert findings(run, "models")


def test_ignored_variables_are_listed_with_the_reason(camelid):
    changes = {**CLEAN, "OLLAMA_VULKAN": "1", "OLLAMA_KEEPALIVE": "5m", "https_proxy": "http://p:1"}
    run = camelid("doctor", **changes, CUDA_VISIBLE_DEVICES="0")
    assert run.returncode == 0
    table = run.stdout.partition("IGNORED VARIABLE")[2].splitlines()
    assert [line.split("    ")[0] for line in table[1:]] == ["OLLAMA_KEEPALIVE", "OLLAMA_VULKAN"]
    assert table[1].endswith("no variable of Ollama's has this name; did you mean OLLAMA_KEEP_ALIVE?")
    assert "Read by libraries: CUDA_VISIBLE_DEVICES, HTTPS_PROXY" in run.stdout


@pytest.mark.parametrize(
    "case",
    [
        ("models", os.R_OK, "cannot be read by this user; change that, or let OLLAMA_MODELS name another"),
        ("models", os.W_OK, "cannot be written by this user: models run, but none can be pulled"),
        ("models/blobs", os.W_OK, "cannot be written by this user: models run, but none can be pulled"),
    ],
)
def test_a_folder_of_somebody_else_says_what_can_be_done_with_it(
    camelid, tmp_path: Path, monkeypatch, case: tuple[str, int, str]
):
    folder, denied, message = case
    (tmp_path / "models/blobs").mkdir(parents=True)
    # Tests may run as root, who may do everything.
    monkeypatch.setattr(os, "access", lambda path, mode: not (Path(path) == tmp_path / folder and mode & denied))
    run = camelid("doctor", "--json")
    assert run.returncode == 1
    (found,) = [text for status, text in findings(run, "models") if status == "problem"]
    assert found.startswith(f"{tmp_path / folder} {message}")


def test_the_server_of_the_settings_is_asked(camelid, server: str):
    ((status, message),) = findings(camelid("doctor", "--json", OLLAMA_HOST=server), "server")
    assert status == "ok"
    assert message.startswith(f"Camelid {__version__} answers at {server}, with 0 models loaded")


def test_another_server_is_a_note(camelid, scripted):
    url = scripted({"/": b"Ollama is running"}).url
    run = camelid("doctor", "--json", OLLAMA_HOST=url)
    assert run.returncode == 0
    ((status, message),) = findings(run, "server")
    assert (status, message.startswith(f"another server, such as Ollama, answers at {url}")) == ("note", True)


@pytest.fixture
def rude() -> Iterator[int]:
    """The port of a program that hangs up on everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_port_that_something_else_has_is_a_problem(camelid, rude: int):
    run = camelid("doctor", "--json", OLLAMA_HOST=f":{rude}")
    assert run.returncode == 1
    ((status, message),) = findings(run, "server")
    assert (status, "does not speak Ollama's API" in message) == ("problem", True)


def test_a_server_elsewhere_must_answer(camelid):
    run = camelid("doctor", "--json", OLLAMA_HOST="elsewhere.invalid")
    assert run.returncode == 1
    ((status, message),) = findings(run, "server")
    assert (status, message.startswith("nobody answers at http://elsewhere.invalid:11434")) == ("problem", True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With one model that is whole."""
    store = Store(tmp_path / "models")
    config, weights = (Layer("x", store.blobs.put(content), len(content)) for content in (b"{}", b"weights"))
    store.write(ModelName.parse("whole"), Manifest(config=config, layers=(weights,)))
    return store


def test_whole_models_are_counted(camelid, store: Store):
    run = camelid("doctor", "--json")
    assert findings(run, "models") == [("ok", f"1 whole model in {store.root}")]
    assert findings(run, "disk")[0][1].endswith(f"are free for {store.root}")


def test_models_that_are_not_whole_are_problems(camelid, store: Store):
    config = Layer("x", store.blobs.put(b"{}"), 2)
    short = Layer("x", store.blobs.put(b"weights"), 8)
    store.write(ModelName.parse("short"), Manifest(config=config, layers=(short,)))
    lost = Layer("x", store.blobs.put(b"gone"), 4)
    store.write(ModelName.parse("lost"), Manifest(config=config, layers=(lost,)))
    store.blobs.path(lost.digest).unlink()
    (store.root / "manifests/registry.ollama.ai/library/whole/torn").write_bytes(b"{")
    before = sorted(store.root.rglob("*"))
    run = camelid("doctor", "--json")
    assert run.returncode == 1
    faults = [message for status, message in findings(run, "models") if status == "problem"]
    assert faults[0] == f"lost:latest: the blob {lost.digest} is missing; pull or create it again, or remove it"
    assert faults[1].startswith(f"short:latest: the blob {short.digest} has 7 bytes instead of 8; ")
    assert faults[2].startswith("whole:torn: the manifest is corrupt (")
    assert findings(run, "models")[-1] == ("ok", f"1 whole model in {store.root}")
    assert sorted(store.root.rglob("*")) == before


def test_a_file_is_no_models_folder(camelid, tmp_path: Path):
    (tmp_path / "models").write_text("")
    run = camelid("doctor", "--json")
    assert findings(run, "models") == [
        ("problem", f"{tmp_path}/models is no folder; let OLLAMA_MODELS name another"),
    ]


def test_broken_plugins_and_no_backend_are_problems(camelid_process, tmp_path: Path):
    (tmp_path / "camelid_broken.py").write_text("CAMELID_API = 1\nraise RuntimeError('it was never finished')\n")
    info = tmp_path / "camelid_broken-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: camelid-broken\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[camelid]\nbroken = camelid_broken\n")
    run = camelid_process("doctor", "--json", CAMELID_PLUGINS="broken", PYTHONPATH=str(tmp_path))
    assert (run.returncode, run.stderr) == (1, "")
    problems = [message for status, message in findings(run, "plugin") if status == "problem"]
    assert problems[0].startswith("broken is broken: ")
    assert "it was never finished" in problems[0]
    assert problems[1].startswith("there is no backend")


def test_gpus_are_found_by_their_drivers(tmp_path: Path):
    assert gpus(tmp_path) == ()
    card = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H100\nIRQ: 1\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    (tmp_path / "dev/kfd").touch()
    assert gpus(tmp_path) == ("NVIDIA H100", "AMD GPU")
    (card / "information").unlink()
    assert gpus(tmp_path) == ("NVIDIA GPU", "AMD GPU")
