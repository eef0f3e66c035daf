"""What each of Ollama's variables changes in a server, and in the commands that talk to it (contract 18)."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from camelid.cli.client import Client
from camelid.cli.messages import CreateBody, GenerateBody
from camelid.errors import CamelidError, ServerBusyError
from camelid.store.store import Store
from camelid.types.names import ModelName

ECHO = "camelid/echo"


class Served:
    """`camelid serve` with variables, and what it logged."""

    def __init__(self, home: Path, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OLLAMA_", "CAMELID_"))}
        own = {"HOME": str(home), "OLLAMA_MODELS": str(home / "models"), "OLLAMA_HOST": "127.0.0.1:0"}
        own["CAMELID_SPARE_WORKER"] = "false"  # the only worker shall be the model's
        self._log = (home / "server.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "camelid", "serve", "--until-stdin-closes"],
            env={**kept, **own, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.client = Client(self.url)

    def worker(self) -> psutil.Process:
        """The process that holds the only model that is loaded."""
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    def stop(self) -> str:
        """End it; return its log."""
        self.client.__exit__(None, None, None)
        if not self._log.closed:
            self.process.communicate(timeout=60)
            self._log.seek(0)
            self.log = self._log.read()
            self._log.close()
        return self.log


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers with variables; each has the echo model."""
    servers: list[Served] = []

    def start(**variables: str) -> Served:
        servers.append(Served(tmp_path, **variables))
        list(servers[-1].client.pull(ECHO))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(client: Client, prompt: str, model: str = ECHO, **options: object) -> str:
    return "".join(line.text for line in client.generate(GenerateBody(model, prompt, options=options)))


@pytest.mark.parametrize("form", ["127.0.0.1:{}", ":{}", "0.0.0.0:{}", "http://localhost:{}", '"127.0.0.1:{}/"'])
def test_host_says_where_commands_find_the_server(camelid, server: str, form: str):
    run = camelid("list", OLLAMA_HOST=form.format(server.rpartition(":")[2]))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("NAME ")


def test_host_may_have_a_path_for_commands(camelid, scripted):
    url = scripted({"/behind/it/api/tags": b'{"models":[]}'}).url
    assert camelid("list", OLLAMA_HOST=f"{url}/behind/it").returncode == 0


def test_a_wrong_port_is_a_warning_and_the_default(camelid):
    run = camelid("doctor", "--json", OLLAMA_HOST="127.0.0.1:port")
    assert '"value": "127.0.0.1"' in run.stdout
    assert "OLLAMA_HOST: the port in the address '127.0.0.1:port' must be a number" in run.stdout
    assert "the default port is used" in run.stdout


def test_host_says_where_to_listen(serve: Serve):
    assert serve(OLLAMA_HOST="[::1]:0").url.startswith("http://[::1]:")


def test_models_is_the_store(serve: Serve, tmp_path: Path):
    serve(OLLAMA_MODELS=f"'{tmp_path}/elsewhere'")
    assert (tmp_path / "elsewhere/manifests/registry.ollama.ai/camelid/echo/latest").is_file()
    assert not (tmp_path / "models").exists()


def test_keep_alive_is_how_long_a_model_stays(serve: Serve):
    client = serve(OLLAMA_KEEP_ALIVE="3600").client
    client.load(ECHO)
    (running,) = client.running()
    assert timedelta(minutes=55) < running.expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_keep_alive_zero_unloads_at_once(serve: Serve):
    server = serve(OLLAMA_KEEP_ALIVE="0")
    assert ask(server.client, "hello") == "hello"
    psutil.wait_procs(psutil.Process(server.process.pid).children(), timeout=30)
    assert server.client.running() == ()


def test_load_timeout_gives_up(serve: Serve):
    client = serve(OLLAMA_LOAD_TIMEOUT="1ms").client
    with pytest.raises(CamelidError, match="timed out"):
        client.load(ECHO)


def test_context_length_is_the_default_of_num_ctx(serve: Serve):
    client = serve(OLLAMA_CONTEXT_LENGTH="64").client
    client.load(ECHO)
    assert [model.context_length for model in client.running()] == [64]


@pytest.fixture
def busy() -> Iterator[Callable[[Client], None]]:
    """Keep a slow model busy with one answer that has begun."""
    answers: list[tuple[Client, threading.Event, threading.Thread]] = []

    def begin(client: Client) -> None:
        list(client.create(CreateBody("slow", from_=ECHO, parameters={"backend_options": {"delay": 0.02}})))
        begun, enough = threading.Event(), threading.Event()
        own = Client(client.url)

        def read() -> None:
            stream = own.generate(GenerateBody("slow", "word " * 400))
            for _ in stream:
                begun.set()
                if enough.is_set():
                    stream.close()
                    return

        thread = threading.Thread(target=read)
        thread.start()
        answers.append((own, enough, thread))
        assert begun.wait(60)

    yield begin
    for client, enough, thread in answers:
        enough.set()
        thread.join()
        client.__exit__(None, None, None)


def test_num_parallel_and_max_queue_say_who_waits_and_who_is_refused(serve: Serve, busy):
    alone = serve(OLLAMA_NUM_PARALLEL="1", OLLAMA_MAX_QUEUE="0").client
    busy(alone)
    with pytest.raises(ServerBusyError, match="maximum pending requests exceeded"):
        ask(alone, "hi", "slow")


def test_with_num_parallel_two_nobody_waits(serve: Serve, busy):
    two = serve(OLLAMA_NUM_PARALLEL="2", OLLAMA_MAX_QUEUE="0").client
    busy(two)
    assert ask(two, "hi", "slow") == "hi"


@pytest.mark.parametrize(("most", "left"), [("1", ["second:latest"]), ("2", ["camelid/echo:latest", "second:latest"])])
def test_max_loaded_models_evicts(serve: Serve, tmp_path: Path, most: str, left: list[str]):
    client = serve(OLLAMA_MAX_LOADED_MODELS=most).client
    store = Store(tmp_path / "models")
    first = store.find(ModelName.parse(ECHO)).manifest
    weights, *others = first.layers
    content = b'{"camelid_backend": "echo", "other": "file"}'
    other = msgspec.structs.replace(weights, digest=store.blobs.put(content), size=len(content))
    store.write(ModelName.parse("second"), msgspec.structs.replace(first, layers=(other, *others)))
    for model in (ECHO, "second"):
        client.load(model)
    assert sorted(model.name for model in client.running()) == left


def test_origins_lets_pages_in(serve: Serve):
    server = serve(OLLAMA_ORIGINS="https://page.example")
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        allowed = http.get("/api/tags", headers={"Origin": "https://page.example"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert http.get("/api/tags", headers={"Origin": "https://other.example"}).status_code == 403


def test_noprune_keeps_what_no_model_uses(serve: Serve, tmp_path: Path):
    orphan = tmp_path / "models/blobs" / f"sha256-{'0' * 64}"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"unused")
    os.utime(orphan, (0, 0))
    serve(OLLAMA_NOPRUNE="yes").stop()
    assert orphan.exists()
    serve().stop()
    assert not orphan.exists()


def test_debug_is_for_the_server_and_its_workers(serve: Serve):
    server = serve(OLLAMA_DEBUG="2")
    server.client.load(ECHO)
    assert server.worker().environ()["CAMELID_DEBUG"] == "true"
    server.client.load(ECHO, keep_alive=0)
    assert " DEBUG " in server.stop()


def test_the_effective_settings_are_logged_once(serve: Serve):
    variables = {"OLLAMA_VULKAN": "1", "OLLAMA_KEEP_ALIVE": "soon", "OLLAMA_MAX_QUEUE": "7"}
    log = serve(**variables).stop()
    assert log.count("max_queue=7") == 1
    assert "keep_alive=300.0" in log
    assert "OLLAMA_VULKAN is ignored: " in log
    assert "OLLAMA_KEEP_ALIVE must be seconds" in log
    assert " DEBUG " not in log


def test_devices_are_chosen_in_the_workers_environment(serve: Serve):
    server = serve(CUDA_VISIBLE_DEVICES="7", GGML_VK_VISIBLE_DEVICES="1")
    server.client.load(ECHO)
    environment = server.worker().environ()
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["GGML_VK_VISIBLE_DEVICES"]) == ("7", "1")


def test_the_cloud_is_off_whatever_no_cloud_says(serve: Serve):
    server = serve(OLLAMA_NO_CLOUD="0")
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        assert http.get("/api/status").json()["cloud"]["disabled"] is True
        answer = http.post("/api/generate", json={"model": "big:cloud", "prompt": "x"})
        assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (403, "ollama cloud is disabled")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_stands_between_command_and_server(camelid, server: str, variable: str):
    run = camelid("list", OLLAMA_HOST=server, **{variable: "http://127.0.0.1:1"})
    assert (run.returncode, run.stderr) == (0, "")
