import json
from hashlib import sha256

import httpx
import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


async def test_a_model_from_a_model(ollama):
    reply = await ollama.post(
        "/api/create",
        json={
            "model": "made",
            "from": "echo",
            "system": "be nice",
            "parameters": {"num_predict": 3, "stop": ["x", "y"]},
            "license": ["one", "two"],
            "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
        },
    )
    assert reply.headers["content-type"] == "application/x-ndjson"
    steps = [json.loads(line) for line in reply.text.splitlines()]
    assert steps[-2:] == [{"status": "writing manifest"}, {"status": "success"}]
    shown = (await ollama.post("/api/show", json={"model": "made"})).json()
    assert list(shown)[:7] == ["license", "modelfile", "parameters", "template", "system", "details", "messages"]
    assert (shown["license"], shown["system"]) == ("one\ntwo", "be nice")
    assert shown["parameters"].splitlines()[1] == 'stop                           "x"'
    assert shown["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    answer = await ollama.post("/api/generate", json={"model": "made", "prompt": "abcdef", "stream": False})
    assert answer.json()["done_reason"] == "length"


async def test_without_a_stream_and_with_the_older_name(ollama):
    reply = await ollama.post("/api/create", json={"name": "quiet", "from": "echo", "stream": False})
    assert (reply.status_code, reply.content) == (200, b'{"status":"success"}')
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "missing request body"),
        ('{"from":"echo"}', 400, "invalid model name"),
        ('{"model":"a//b","from":"echo"}', 400, "invalid model name"),
        ('{"model":"x"}', 400, "neither 'from' or 'files' was specified"),
        ('{"model":"x","modelfile":"","path":""}', 400, "neither 'from' or 'files' was specified"),
        ('{"model":"x","files":{}}', 400, "no files provided to convert"),
        ('{"model":"x","files":{"../m.gguf":"sha256:00"}}', 400, "file path must be relative"),
        ('{"model":"x","files":{"m.gguf":""}}', 400, "invalid digest format"),
        (
            '{"model":"x","from":"echo","messages":[{"role":"user","content":"x","images":["AAAA"]}]}',
            400,
            "a model's own messages are text: leave out their images and tool calls",
        ),
        (
            '{"model":"x","from":"echo","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}',
            400,
            "a model's own messages are text: leave out their images and tool calls",
        ),
        ('{"model":"x","from":"echo","license":7}', 400, "license must be a string or a list of strings"),
        (
            '{"model":"x","from":7}',
            400,
            "json: cannot unmarshal number into Go struct field CreateRequest.from of type string",
        ),
    ],
)
async def test_errors(ollama, body, status, error):
    reply = await ollama.post("/api/create", content=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})
    assert reply.headers["content-type"] == "application/json"


async def test_a_file_of_random_bytes_is_no_model(ollama):
    content = bytes(range(256)) * 64
    await ollama.post(f"/api/blobs/{digest_of(content)}", content=content)
    reply = await ollama.post("/api/create", json={"model": "junk", "files": {"m.gguf": digest_of(content)}})
    assert reply.status_code >= 400 or "error" in json.loads(reply.text.splitlines()[-1])
    assert (await ollama.post("/api/show", json={"model": "junk"})).status_code == 404


async def test_a_blob_is_uploaded_once(ollama):
    content = b"a model " * 300_000
    path = f"/api/blobs/{digest_of(content)}"
    missing = await ollama.head(path)
    assert (missing.status_code, missing.content) == (404, b"")
    created = await ollama.post(path, content=content)
    assert (created.status_code, created.content) == (201, b"")
    assert "content-type" not in created.headers
    assert (await ollama.head(path)).status_code == 200
    assert (await ollama.head(path.replace("sha256:", "sha256-"))).status_code == 200
    assert (await ollama.post(path, content=content)).status_code == 200


async def test_a_blob_may_come_in_chunks_of_unknown_number(ollama):
    pieces = [bytes([number]) * 100_000 for number in range(30)]

    async def body():
        for piece in pieces:
            yield piece

    path = f"/api/blobs/{digest_of(b''.join(pieces))}"
    assert (await ollama.post(path, content=body())).status_code == 201
    assert (await ollama.head(path)).status_code == 200


async def test_an_empty_blob(ollama):
    assert (await ollama.post(f"/api/blobs/{digest_of(b'')}")).status_code == 201


async def test_a_blob_with_another_digest_is_dropped(ollama):
    said, true = digest_of(b"said"), digest_of(b"sent")
    reply = await ollama.post(f"/api/blobs/{said}", content=b"sent")
    assert (reply.status_code, reply.json()) == (400, {"error": f'digest mismatch, expected "{said}", got "{true}"'})
    assert (await ollama.head(f"/api/blobs/{said}")).status_code == 404


@pytest.mark.parametrize("digest", ["sha256:12", "sha256", "md5:" + "0" * 64, "sha256:" + "g" * 64, "..%2F..%2Fetc"])
async def test_a_malformed_digest(ollama, digest):
    reply = await ollama.post(f"/api/blobs/{digest}", content=b"x")
    assert reply.status_code in (400, 404)
    if reply.status_code == 400:
        assert reply.json() == {"error": "invalid digest format"}
    assert (await ollama.head(f"/api/blobs/{digest}")).status_code == reply.status_code


async def test_an_upload_that_breaks_off_leaves_nothing(ollama, tmp_path_factory):
    digest = digest_of(b"never complete")

    async def body():
        yield b"never"
        raise ConnectionAbortedError

    with pytest.raises((httpx.HTTPError, ConnectionAbortedError)):
        await ollama.post(f"/api/blobs/{digest}", content=body())
    assert (await ollama.head(f"/api/blobs/{digest}")).status_code == 404
    folder = tmp_path_factory.getbasetemp()
    for _ in range(100):
        await ollama.get("/api/version")
        left = [path.name for path in folder.glob("*/blobs/[!.]*") if not path.name.removeprefix("sha256-").isalnum()]
        if not left:
            break
    assert left == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"path": "/etc/passwd"}, "this server reads no Modelfiles from its disk"),
        ({"path": "Modelfile"}, "this server reads no Modelfiles from its disk"),
        ({"modelfile": "FROM /etc/passwd"}, "this server reads no files of its disk for a Modelfile"),
        ({"modelfile": "FROM echo\nADAPTER ./lora.gguf"}, "upload ./lora.gguf to /api/blobs"),
    ],
)
async def test_without_the_setting_no_modelfile_reaches_the_disk(ollama, body, error):
    reply = await ollama.post("/api/create", json={"model": "x", **body})
    assert reply.status_code == 400
    assert error in reply.json()["error"]


async def test_the_text_of_a_modelfile_needs_no_setting(ollama):
    reply = await ollama.post("/api/create", json={"model": "older", "modelfile": "FROM echo\nSYSTEM hm\n"})
    assert json.loads(reply.text.splitlines()[-1]) == {"status": "success"}
    assert (await ollama.post("/api/show", json={"model": "older"})).json()["system"] == "hm"
