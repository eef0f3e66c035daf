"""The older forms of POST /api/create: the text of a Modelfile, or its path on the server."""

import errno
import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = b'{"camelid_backend": "echo"}\n'
NOWHERE = "below the folder that the setting modelfiles names"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder that the server may read from; beside it lies a file that it may not."""
    outside = tmp_path_factory.mktemp("disk")
    (outside / "secret.bin").write_bytes(ECHO + b" ")
    (outside / "Modelfile").write_text("FROM echo\nSYSTEM secret\n")
    allowed = outside / "allowed"
    (allowed / "deep" / "weights").mkdir(parents=True)
    (allowed / "top.bin").write_bytes(ECHO)
    (allowed / "deep" / "beside.bin").write_bytes(ECHO)
    (allowed / "deep" / "weights" / "model.bin").write_bytes(ECHO)
    return allowed


@pytest.fixture(scope="module")
def more_settings(folder: Path) -> dict[str, object]:
    return {"modelfiles": folder}


async def made(ollama, **body) -> list[str]:
    """Make `made`; the steps."""
    reply = await ollama.post("/api/create", json={"model": "made", **body})
    assert reply.status_code == 200, reply.text
    steps = [json.loads(line) for line in reply.text.splitlines()]
    assert steps[-1] == {"status": "success"}, steps
    return [step["status"] for step in steps]


async def refused(ollama, **body) -> str:
    """The sentence of a 400."""
    reply = await ollama.post("/api/create", json={"model": "refused", **body})
    assert reply.status_code == 400, reply.text
    assert (await ollama.post("/api/show", json={"model": "refused"})).status_code == 404
    return reply.json()["error"]


async def shown(ollama, name: str = "made") -> dict[str, object]:
    return (await ollama.post("/api/show", json={"model": name})).json()


async def answer(ollama) -> str:
    reply = await ollama.post("/api/generate", json={"model": "made", "prompt": "hello", "raw": True, "stream": False})
    return reply.json()["response"]


async def upload(ollama, content: bytes) -> str:
    digest = f"sha256:{sha256(content).hexdigest()}"
    (await ollama.post(f"/api/blobs/{digest}", content=content)).raise_for_status()
    return digest


async def test_everything_that_a_modelfile_says(ollama):
    text = (
        "FROM echo\nTEMPLATE {{ .Prompt }}!\nSYSTEM be nice\nPARAMETER num_predict 3\nPARAMETER stop x\n"
        "PARAMETER stop y\nPARAMETER mirostat 1\nLICENSE one\nLICENSE two\nMESSAGE user hi\nMESSAGE assistant ho\n"
    )
    steps = await made(ollama, modelfile=text)
    assert steps[0] == "warning: parameter mirostat is deprecated"
    model = await shown(ollama)
    assert (model["template"], model["system"], model["license"]) == ("{{ .Prompt }}!", "be nice", "one\ntwo")
    assert [line.split() for line in model["parameters"].splitlines()] == [
        ["num_predict", "3"],
        ["stop", '"x"'],
        ["stop", '"y"'],
    ]
    assert model["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


async def test_a_file_that_was_uploaded_as_older_clients_do(ollama):
    digest = await upload(ollama, ECHO)
    steps = await made(ollama, name="made", modelfile=f"FROM @{digest}\nSYSTEM x\n", stream=True)
    assert "transferring model data" not in steps
    assert await answer(ollama) == "hello"


async def test_an_adapter_that_was_uploaded(ollama):
    digest = await upload(ollama, b"no adapter at all")
    assert (await refused(ollama, modelfile=f"FROM echo\nADAPTER @{digest}\n")).startswith("unknown type: ")


async def test_what_show_tells_makes_the_model_again(ollama):
    text = (await shown(ollama, "echo"))["modelfile"]
    assert "/blobs/sha256-" in text
    await made(ollama, modelfile=f"{text}\nSYSTEM again\n")
    assert ((await shown(ollama))["system"], await answer(ollama)) == ("again", "hello")


async def test_the_new_fields_win(ollama):
    text = "FROM missing/model\nSYSTEM old\nPARAMETER seed 1\nPARAMETER top_k 2\n"
    await made(ollama, modelfile=text, **{"from": "echo"})
    assert "system" not in await shown(ollama)
    text = text.replace("missing/model", "echo")
    await made(ollama, modelfile=text, system="new", parameters={"seed": 7})
    model = await shown(ollama)
    assert (model["system"], model["parameters"].split()) == ("new", ["seed", "7", "top_k", "2"])


async def test_a_text_wins_over_a_path_which_may_be_the_clients(ollama):
    await made(ollama, modelfile="FROM echo\nSYSTEM text\n", path="/home/somebody/Modelfile")
    assert (await shown(ollama))["system"] == "text"


@pytest.mark.parametrize("source", ["beside.bin", "./beside.bin", "../top.bin", "weights", "{folder}/top.bin"])
@pytest.mark.parametrize("absolute", [False, True])
async def test_a_path_below_the_folder(ollama, folder, source, absolute):
    file = folder / "deep" / "Modelfile"
    file.write_text(f"FROM {source.format(folder=folder)}\nSYSTEM from disk\n")
    steps = await made(ollama, path=str(file) if absolute else "deep/Modelfile")
    assert steps[0] == "transferring model data"
    assert ((await shown(ollama))["system"], await answer(ollama)) == ("from disk", "hello")


async def test_a_text_may_name_files_below_the_folder(ollama):
    await made(ollama, modelfile="FROM deep/beside.bin\n")
    assert await answer(ollama) == "hello"


@pytest.mark.parametrize(
    "path",
    [
        *("missing", "deep", "link", "loop", ".", "nul\0", "x" * 5000),
        *("../Modelfile", "deep/../../Modelfile", "{folder}/../Modelfile", "/etc/passwd", "~/Modelfile"),
    ],
)
async def test_a_path_that_leads_elsewhere(ollama, folder, path):
    for name, target in (("link", folder.parent / "Modelfile"), ("loop", folder / "loop")):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
    assert NOWHERE in await refused(ollama, path=path.format(folder=folder))


@pytest.mark.parametrize("line", ["FROM", "FROM echo\nADAPTER", "FROM echo\nDRAFT"])
@pytest.mark.parametrize("source", ["../secret.bin", "{folder}/../secret.bin", "link.bin", "/etc/passwd", "~/x"])
async def test_a_modelfile_that_names_what_lies_elsewhere(ollama, folder, line, source):
    if not (folder / "link.bin").is_symlink():
        (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    text = f"{line} {source.format(folder=folder)}\n"
    assert NOWHERE in await refused(ollama, modelfile=text)
    (folder / "Elsewhere").write_text(text)
    assert NOWHERE in await refused(ollama, path="Elsewhere")
    digest = f"sha256:{sha256((folder.parent / 'secret.bin').read_bytes()).hexdigest()}"
    assert (await ollama.head(f"/api/blobs/{digest}")).status_code == 404


async def test_a_folder_with_a_link_that_leads_out(ollama, folder):
    (folder / "leaky").mkdir()
    (folder / "leaky" / "model.bin").symlink_to(folder.parent / "secret.bin")
    assert "insecure path" in await refused(ollama, modelfile="FROM leaky\n")


async def test_a_pipe_is_not_waited_for(ollama, folder):
    os.mkfifo(folder / "pipe")
    assert NOWHERE in await refused(ollama, path="pipe")
    assert NOWHERE in await refused(ollama, modelfile="FROM ./pipe\n")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SYSTEM x\n", "no FROM line"),
        ("FROM echo\nNONSENSE x\n", "(line 2): command must be one of"),
        ("FROM @sha256:12\n", "invalid digest format"),
        ("FROM a//b\n", "invalid model name"),
        ("FROM echo\nADAPTER lora\n", "there is no file or folder lora"),
        ("FROM echo\nSYSTEM " + "x" * (1 << 20), "the Modelfile is larger than 1 MiB"),
    ],
)
async def test_a_wrong_modelfile(ollama, folder, text, error):
    assert error in await refused(ollama, modelfile=text)
    (folder / "Wrong").write_text(text)
    assert error in await refused(ollama, path="Wrong")


async def test_a_file_that_is_no_text(ollama, folder):
    (folder / "Bytes").write_bytes(b"FROM \xff\xff")
    assert await refused(ollama, path="Bytes") == "the Modelfile is neither UTF-8 nor UTF-16 text; save it as UTF-8"


async def test_a_wrong_name_links_nothing(ollama, folder):
    content = ECHO + b"\n"
    (folder / "unused.bin").write_bytes(content)
    reply = await ollama.post("/api/create", json={"model": "a//b", "modelfile": "FROM ./unused.bin\n"})
    assert (reply.status_code, reply.json()) == (400, {"error": "invalid model name"})
    assert (await ollama.head(f"/api/blobs/sha256:{sha256(content).hexdigest()}")).status_code == 404


@pytest.mark.parametrize(
    "address", ["file://{folder}/top.bin", "file://localhost{folder}/deep/weights", "file://{folder}/deep/a%20b.bin"]
)
async def test_a_file_of_the_server_is_used_in_place(ollama, folder, address):
    (folder / "deep" / "a b.bin").write_bytes(ECHO)
    file = {"top.bin": "top.bin", "weights": "deep/weights/model.bin"}.get(address.rpartition("/")[2], "deep/a b.bin")
    steps = await made(ollama, **{"from": address.format(folder=folder)}, system="in place")
    assert "transferring model data" in steps
    assert not any(step.startswith("copied") for step in steps)
    assert (folder / file).stat().st_nlink > 1
    assert ((await shown(ollama))["system"], await answer(ollama)) == ("in place", "hello")


async def test_a_modelfile_may_name_addresses(ollama, folder):
    await made(ollama, modelfile=f"FROM file://{folder}/top.bin\nSYSTEM addressed\n")
    assert ((await shown(ollama))["system"], await answer(ollama)) == ("addressed", "hello")


async def test_what_cannot_be_linked_is_copied_and_named(ollama, folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr("camelid.store.blobs.os.link", refuse)
    assert "copied top.bin, which cannot be linked from there" in await made(
        ollama, **{"from": f"file://{folder}/top.bin"}
    )
    assert await answer(ollama) == "hello"


@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc/passwd", "file://{folder}/../secret.bin", "file://{folder}/missing", "file://{folder}/nul%00"),
        *("file://{folder}/%2e%2e/secret.bin", "file:///", "file://{folder}/pipe.bin", "file://{folder}/out.bin"),
    ],
)
async def test_an_address_that_leads_elsewhere(ollama, folder, address):
    if not (folder / "out.bin").is_symlink():
        (folder / "out.bin").symlink_to(folder.parent / "secret.bin")
        os.mkfifo(folder / "pipe.bin")
    assert NOWHERE in await refused(ollama, **{"from": address.format(folder=folder)})


@pytest.mark.parametrize(
    "address", ["file://host/x", "file://x", "file://", "file:///x?y", "file:///x#y", "file://[/x"]
)
async def test_what_is_no_address_of_a_file(ollama, address):
    assert "is no address of a file" in await refused(ollama, **{"from": address})
