import pytest

from camelid.cli.client import Client

PUSHED = (
    b'{"status":"retrieving manifest"}\n'
    b'{"status":"pushing aaaaaaaaaaaa","digest":"sha256:a","total":10,"completed":10}\n'
    b'{"status":"success"}\n'
)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("me/mine:q4", "\nYou can find your model at:\n\n\thttps://ollama.com/me/mine\n\n"),
        ("registry.example/me/mine", ""),
    ],
)
def test_a_model_is_pushed(camelid, scripted, model: str, said: str):
    server = scripted({"/api/push": PUSHED})
    run = camelid("push", model, "--insecure", OLLAMA_HOST=server.url)
    assert (run.returncode, run.stdout) == (0, said)
    assert run.stderr.splitlines() == ["retrieving manifest", "pushing aaaaaaaaaaaa", "success"]
    assert server.requests["/api/push"] == [{"model": model, "insecure": True}]


def test_a_server_that_cannot_push_is_a_sentence(camelid, scripted):
    run = camelid("push", "me/mine", OLLAMA_HOST=scripted({}).url)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: the server at http://127.0.0.1:")
    assert "cannot push models" in run.stderr


@pytest.mark.parametrize("command", ["push", "pull"])
def test_plain_http_says_how_it_is_allowed(camelid, scripted, command: str):
    server = scripted({f"/api/{command}": b'{"error":"insecure protocol http"}\n'})
    run = camelid(command, "http://registry.example/me/mine", OLLAMA_HOST=server.url)
    assert (run.returncode, run.stderr) == (
        1,
        "Error: insecure protocol http: if that is what you want, allow it with --insecure\n",
    )


def test_another_server_has_no_health(scripted):
    with Client(scripted({"/api/version": b'{"version":"0.33.0"}'}).url) as client:
        assert client.health() is None
