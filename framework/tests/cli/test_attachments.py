import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.cli.attachments import Attached, attach
from camelid.cli.messages import ShownModel
from camelid.errors import RequestError

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0JFIF"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
WAV = b"RIFF\x10\x00\x00\x00WAVEfmt "
SEES = ShownModel(capabilities=("completion", "vision"))
HEARS = ShownModel(capabilities=("completion", "audio"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder and the working folder, with files in it."""
    for name, content in {
        "cat.png": PNG,
        "my cat.PNG": PNG,
        "two.jpeg": JPEG,
        "w.webp": WEBP,
        "w.wav": WAV,
        "it's (1).jpg": JPEG,
        r"C:\pics\my cat.png": PNG,
        "dir with blank/a.png": PNG,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "text", "files"),
    [
        ("what is ./cat.png", "what is", (PNG,)),
        ("./cat.png what is it?", "what is it?", (PNG,)),
        ("is {folder}/cat.png, a cat?", "is , a cat?", (PNG,)),
        ("look: ./cat.png.", "look: .", (PNG,)),
        ("(./cat.png)", "()", (PNG,)),
        ("image:./cat.png", "image:", (PNG,)),
        ("./cat.png ./two.jpeg and ./w.webp", "and", (PNG, JPEG, WEBP)),
        ("~/cat.png", "", (PNG,)),
        ("'~/cat.png' hm", "hm", (PNG,)),
        ("./my cat.PNG what?", "what?", (PNG,)),
        (r"./my\ cat.PNG what?", "what?", (PNG,)),
        ("what? './my cat.PNG'", "what?", (PNG,)),
        ('what? "./my cat.PNG"', "what?", (PNG,)),
        ('"./it\'s (1).jpg"', "", (JPEG,)),
        (r"./it\'s\ \(1\).jpg", "", (JPEG,)),
        (r"C:\pics\my cat.png?", "?", (PNG,)),
        (r'"C:\pics\my cat.png" !', "!", (PNG,)),
        ("compare ./nothing.png and ./cat.png", "compare ./nothing.png and", (PNG,)),
        ("{folder}/dir with blank/a.png", "", (PNG,)),
        ("dir with blank/a.png", "", (PNG,)),
        ("one\n./cat.png\ntwo", "one\n\ntwo", (PNG,)),
    ],
)
def test_files_are_taken_out_of_the_text(folder: Path, prompt: str, text: str, files: tuple[bytes, ...]):
    assert attach(prompt.format(folder=folder) if "{" in prompt else prompt, SEES) == Attached(text, files)


@pytest.mark.parametrize(
    "prompt",
    [
        "nothing here  ",
        "cat.png",
        "'cat.png'",
        "./nowhere.png",
        "./cat.png.txt",
        "./cat.pngs",
        "https://example.org/cat.png",
        "./w.wav",
        "/" + "x" * 5000 + ".png",
        "./\0.png",
        "../" + "a b/" * 50 + "c.png",
    ],
)
def test_everything_else_stays(folder: Path, prompt: str):
    assert attach(prompt, SEES) == Attached(prompt, ())


@pytest.mark.parametrize("model", [ShownModel(), ShownModel(capabilities=("completion",)), HEARS])
def test_a_model_without_eyes_gets_the_text(folder: Path, model: ShownModel, capsys: pytest.CaptureFixture[str]):
    assert attach("what is ./cat.png", model) == Attached("what is ./cat.png", ())
    assert capsys.readouterr().err == ""


def test_a_model_with_ears_gets_sounds(folder: Path):
    assert attach("say ./w.wav", HEARS) == Attached("say", (WAV,))


def test_each_file_is_a_line_on_stderr(folder: Path, capsys: pytest.CaptureFixture[str]):
    attach(r"./cat.png ./my\ cat.PNG", SEES)
    assert capsys.readouterr() == ("", "Added image './cat.png'\nAdded image './my cat.PNG'\n")


def test_what_is_no_picture_is_refused(folder: Path):
    (folder / "fake.png").write_text("not at all")
    with pytest.raises(RequestError, match=r"'\./fake\.png' is no PNG"):
        attach("./fake.png", SEES)


def test_a_file_may_have_100_mb(folder: Path):
    with (folder / "huge.png").open("wb") as file:
        file.write(PNG)
        file.truncate(100_000_001)
    with pytest.raises(RequestError, match=r"'\./huge\.png' has 100000001 bytes; a file"):
        attach("./huge.png", SEES)


@given(st.text(st.sampled_from("a ./\\~'\"\n:png.")))
def test_no_text_is_lost_without_files(prompt: str):
    assert attach(prompt, SEES) == Attached(prompt, ())


def test_one_prompt_is_sent_with_its_pictures(camelid, folder: Path, vision_server):
    run = camelid("run", "m", "what is", str(folder / "cat.png"), OLLAMA_HOST=vision_server.url)
    assert (run.returncode, run.stdout) == (0, "a cat\n\n")
    assert run.stderr == f"Added image '{folder}/cat.png'\n"
    body = vision_server.requests["/api/generate"][-1]
    assert (body["prompt"], body["images"]) == ("what is", [base64.b64encode(PNG).decode()])
