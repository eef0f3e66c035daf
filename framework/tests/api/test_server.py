import asyncio
import json
import signal
import socket
import subprocess
import sys
import textwrap

import httpx
import pytest

from camelid.api.server import bind, serve
from camelid.errors import ConfigurationError
from camelid.settings import Settings
from camelid.types.addresses import Address

PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from camelid.api.server import run
    from camelid.settings import Settings
    run(Settings(models=Path(sys.argv[1]), host="127.0.0.1:0"), on_ready=lambda url: print(url, flush=True))
    print("ended")
    """
)


def test_a_port_in_use_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError) as caught:
        bind(Address("127.0.0.1", taken.getsockname()[1]))
    assert "is in use" in caught.value.message
    assert "OLLAMA_HOST" in caught.value.message


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_somebody_elses_address_is_refused(host):
    with pytest.raises(ConfigurationError, match="no such address"):
        bind(Address(host, 0))


def test_the_socket_listens_at_once():
    with (
        bind(Address("127.0.0.1", 0)) as sock,
        socket.create_connection(sock.getsockname(), timeout=5),
        pytest.raises(ConfigurationError),
    ):
        bind(Address("127.0.0.1", sock.getsockname()[1]))


async def test_a_wrong_setting_ends_the_start(tmp_path):
    settings = Settings(models=tmp_path, host="127.0.0.1:0", origins=("nonsense",))
    with pytest.raises(ConfigurationError, match="nonsense"):
        await serve(settings, on_ready=lambda _url: None)


@pytest.mark.parametrize(("host", "status"), [("127.1:0", 403), ("[::1]:0", 403), ("0.0.0.0:0", 200)])
async def test_hosts_are_checked_where_the_socket_is_on_loopback(tmp_path, host, status):
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(Settings(models=tmp_path, host=host), on_ready=ready.set_result))
    async with httpx.AsyncClient(base_url=await ready, trust_env=False) as client:
        assert (await client.get("/", headers={"Host": "example.com"})).status_code == status
    task.cancel()
    await asyncio.wait([task])


async def test_cancelling_ends_the_server(tmp_path):
    ready = asyncio.get_running_loop().create_future()
    settings = Settings(models=tmp_path, host="127.0.0.1:0", placement="in-process")
    task = asyncio.create_task(serve(settings, on_ready=ready.set_result))
    await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task
    url = httpx.URL(ready.result())
    _, writer = await asyncio.open_connection(url.host, url.port)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(url.host, url.port)
    writer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_its_workers_and_its_streams(tmp_path, number):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        # Nothing may be guessed ahead, or the answer ends in a hundredth of the time and before the signal.
        options = {"backend_options": {"delay": 0.05}, "draft_num_predict": 0}
        slow = {"model": "camelid/echo", "prompt": "x" * 4000, "options": options}
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            client.post("/api/pull", json={"model": "camelid/echo", "stream": False}).raise_for_status()
            with client.stream("POST", "/api/generate", json=slow) as reply:
                lines = reply.iter_lines()
                assert json.loads(next(lines))["response"] == "x"
                process.send_signal(number)
                *_, last = lines
        assert json.loads(last) == {"error": "the server is shutting down"}
        assert process.wait(timeout=30) == 0
        assert process.stdout.read() == "ended\n"
