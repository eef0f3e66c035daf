"""What `camelid new` writes: installed with pip into a fresh environment, proven by its own tests, asked over HTTP."""

import os
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ANSWERS = {
    "What do llamas say?": "They hum: “mmm”.",
    "Which camelids live in South America?": "The llama, the alpaca, the guanaco and the vicuña.",
}
# What the new packages depend on is here already, and so is pip: nothing is fetched.
SEES_THE_WORKSPACE = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run) -> Path:
    """A folder with one new package of each kind."""
    folder = tmp_path_factory.mktemp("scaffold")
    run([sys.executable, "-m", "camelid", "new", "backend", "tiny-suffix"], folder)
    run([sys.executable, "-m", "camelid", "new", "registry", "shelf"], folder)
    return folder


PACKAGES = ("camelid-tiny-suffix", "camelid-shelf")


@pytest.fixture(scope="module")
def python(folder: Path, run) -> Path:
    """The interpreter of a fresh environment in which both are installed."""
    venv.create(folder / "venv", symlinks=os.name != "nt")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    (Path(site) / "workspace.pth").write_text(SEES_THE_WORKSPACE)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps"]
    run([*pip, "--no-build-isolation", *(f"./{package}" for package in PACKAGES)], folder)
    return python


@pytest.fixture(scope="module")
def fresh_server(folder: Path, python: Path, run_server) -> object:
    return run_server(folder, python=python)


@pytest.fixture
def web_host(folder: Path) -> Iterator[str]:
    """A plain web server of the backend's example folder."""
    example = folder / "camelid-tiny-suffix" / "example"

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(example))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask(server, model: str, question: str, **options: object) -> str:
    answer = server.post("/api/generate", model=model, prompt=question, stream=False, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


@pytest.mark.parametrize("package", PACKAGES)
def test_its_own_tests_pass(folder, python, package, run):
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # an author has none of ours
    printed = run([python, "-m", "pytest", "-q"], folder / package, **alone)
    assert " passed" in printed
    assert " failed" not in printed


@pytest.mark.parametrize("package", PACKAGES)
def test_it_is_clean(folder, package, run):
    run([sys.executable, "-m", "ruff", "check", "--no-cache", "."], folder / package)
    run([sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "."], folder / package)
    run([sys.executable, "-m", "mypy", "--cache-dir", folder / "mypy", "src", "tests"], folder / package)


def test_a_model_of_its_own_format_is_created_and_asked(folder, python, fresh_server, run):
    create = [python, "-m", "camelid", "create", "tiny-suffix", "-f", "example/Modelfile"]
    run(create, folder / "camelid-tiny-suffix", OLLAMA_HOST=fresh_server.url)
    for question, answer in ANSWERS.items():
        assert ask(fresh_server, "tiny-suffix", question) == answer
    assert (
        ask(fresh_server, "tiny-suffix", "red green blue red", raw=True, options={"num_predict": 11}) == " green blue"
    )


def test_a_model_is_pulled_from_a_folder_and_asked(folder, python, fresh_server, web_host, run):
    example = folder / "camelid-tiny-suffix" / "example"
    (example / "camelids.template").write_text("{{ .Prompt }}\n")
    assert run([python, "-m", "camelid_shelf", example, "*.tinysuffix"], folder) == "camelids:latest\n"
    model = f"shelf://{web_host}/camelids"
    pulled = fresh_server.post("/api/pull", model=model, insecure=True, stream=False)
    assert pulled.json() == {"status": "success"}, pulled.text
    for question, answer in ANSWERS.items():
        assert ask(fresh_server, model, question, options={"temperature": 0}) == answer


def test_the_wheel_of_the_framework_carries_the_templates(tmp_path, run):
    framework = Path(__file__).parents[2] / "framework"
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], framework)
    (wheel,) = tmp_path.glob("*.whl")
    source = framework / "src"
    templates = {
        path.relative_to(source).as_posix() for path in source.glob("camelid/scaffold/templates/**/*.template")
    }
    assert templates
    assert templates <= set(zipfile.ZipFile(wheel).namelist())
