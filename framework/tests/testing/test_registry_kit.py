"""The kit for registries, run as a plugin's author would: on one that is sound, and on those with a mistake."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from camelid.testing.registry import RegistrySuite

_FILE = """
import json
from hashlib import sha256
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from camelid.contracts.registry import *
from camelid.errors import RegistryError
from camelid.testing.loopback import LoopbackServer, Reply
from camelid.testing.registry import RegistrySuite
from camelid.testing.registry_source import RegistrySource
from camelid.types.names import ModelName

MODEL = "application/vnd.ollama.image.model"


class Redirects(HTTPRedirectHandler):
    def redirect_request(self, *args):
        request = super().redirect_request(*args)
        request.remove_header("Authorization")
        return request


class Mine(Registry):
    name = "mine"
    redirects = Redirects

    def resolve(self, name):
        try:
            with self.ask(f"http://{name.host}/about/{name.model}") as answer:
                about = answer.read(1 << 20)
        except RegistryError as error:
            if "404" in error.message:
                return None
            raise
        try:
            about = json.loads(about)
        except ValueError as error:
            raise RegistryError("the server says what is no model", reason=str(error)) from error
        url = f"http://{name.host}/files/{name.model}"
        return ResolvedModel((LayerSource(MODEL, BlobSource(about["digest"], about["size"], url=url)),))

    def open(self, blob, offset):
        answer = self.ask(blob.url, Range=f"bytes={offset}-")
        if offset and answer.status == 200:
            raise OnlyFromStartError("whole files only")
        told = answer.headers["Content-Range"] or f"/{answer.headers['Content-Length'] or blob.size}"
        if int(told.rpartition("/")[2]) != blob.size:
            raise RegistryError("the server has another size than it announced")
        return answer

    def ask(self, url, **headers):
        try:
            request = Request(url, headers={"Authorization": "Bearer secret", **headers})
            return build_opener(self.redirects).open(request, timeout=5)
        except HTTPError as error:
            error.close()
            kind = TransientRegistryError if error.code >= 500 else RegistryError
            raise kind(f"the server answers {error.code}") from error
        except HTTPException as error:
            raise ConnectionError(str(error)) from error


class Server(LoopbackServer):
    def __init__(self, models):
        super().__init__()
        self.models = models

    def respond(self, request):
        _, kind, model = request.path.split("/")
        content = self.models.get(model)
        if content is None:
            return Reply(404)
        about = {"digest": f"sha256:{sha256(content).hexdigest()}", "size": len(content)}
        return Reply(200, content, file=True) if kind == "files" else Reply(200, json.dumps(about).encode())


class Source(RegistrySource):
    def __init__(self, registry):
        self.registry = registry
        self.models = {}
        self.server = Server(self.models)

    def make_registry(self):
        return self.registry()

    def publish(self, model, weights):
        self.models[model] = weights
        return ModelName.parse(f"http://{self.server.host}/a/{model}")

    def make_mirror(self):
        return Server(self.models)


class TestSound(RegistrySuite):
    def make_source(self, folder):
        return Source(Mine)


class Forwards(Mine):
    redirects = HTTPRedirectHandler


class TestForwards(RegistrySuite):
    def make_source(self, folder):
        return Source(Forwards)


class Raises(Mine):
    def resolve(self, name):
        return {}[name]


class TestRaises(RegistrySuite):
    def make_source(self, folder):
        return Source(Raises)


class FromStart(Mine):
    def ask(self, url, **headers):
        return super().ask(url)

    def open(self, blob, offset):
        return self.ask(blob.url)


class TestFromStart(RegistrySuite):
    def make_source(self, folder):
        return Source(FromStart)


class KnowsAll(Mine):
    def resolve(self, name):
        return super().resolve(name) or ResolvedModel(())


class TestKnowsAll(RegistrySuite):
    def make_source(self, folder):
        return Source(KnowsAll)


class Local(Mine):
    remote = False


class TestLocal(RegistrySuite):
    def make_source(self, folder):
        return Source(Local)


class TakesAll(Mine):
    def can_push(self, name):
        return True


class TestTakesAll(RegistrySuite):
    def make_source(self, folder):
        return Source(TakesAll)


class TestNothing(RegistrySuite):
    pass


class TestExpected(RegistrySuite):
    expected_failures = {"test_it_is_known_to_ask_other_machines": "it shall not be"}

    def make_source(self, folder):
        return Source(Mine)
"""

_MISTAKES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("TestForwards", "test_a_redirect_takes_no_credentials_along"): (
        "Proves that another host learns no token",
        "authorization",
        "GET /files/small bytes=0-",
    ),
    ("TestRaises", "test_a_model_is_pulled"): (
        "the registry mine failed",
        "What a server would log",
        "KeyError",
        "look at `Registry.resolve`",
    ),
    ("TestFromStart", "test_what_came_before_a_restart_is_not_fetched_again"): (
        "Proves that a file can be read from the middle",
        "look at the offset of `Registry.open`",
    ),
    ("TestKnowsAll", "test_an_unknown_name_is_left_to_others"): (
        "Proves that other registries are asked, too",
        "GET /about/unknown",
    ),
    ("TestLocal", "test_it_is_known_to_ask_other_machines"): ("look at `Registry.remote`",),
    ("TestTakesAll", "test_a_model_that_was_pushed_comes_back_with_its_digest"): ("the registry mine failed",),
    ("TestNothing", "test_a_model_is_pulled"): ("TestNothing has no make_source",),
    ("TestExpected", "test_it_is_known_to_ask_other_machines"): ("[XPASS(strict)] it shall not be",),
}
"""By suite and case, what an author is to read of it."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> str:
    """What an author sees of all cases on the sound registry, and on each with a mistake of the one that finds it."""
    folder = tmp_path_factory.mktemp("kit")
    (folder / "conftest.py").write_text('pytest_plugins = ["camelid.testing.registry_plugin"]\n')
    (folder / "test_it.py").write_text(_FILE)
    cases = " or ".join(["TestSound", *(f"({suite} and {case})" for suite, case in _MISTAKES)])
    options = ["-ra", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", cases, str(folder / "test_it.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # an author has none of ours
        check=False,
    )
    assert " in " in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_a_sound_registry_passes_and_what_it_does_not_do_is_counted_apart(seen):
    assert not re.search(r"^(FAILED|ERROR) .*TestSound", seen, re.MULTILINE)
    assert re.search(r"= \d+ failed, [3-9]\d passed, \d+ deselected, 1 error, 6 refused in ", seen), seen[-200:]


@pytest.mark.parametrize("mistake", _MISTAKES, ids=lambda mistake: mistake[0])
def test_a_mistake_is_found_and_shown(seen, mistake):
    parts = re.split(r"^_+ (?:ERROR at setup of )?(Test\w+\.\w+)(?:\[.*\])? _+$", seen, flags=re.MULTILINE)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))[".".join(mistake)]
    for words in _MISTAKES[mistake]:
        assert words in shown


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"test_a_model_is_pulled": None}, "overrides test_a_model_is_pulled"),
        ({"expected_failures": {"test_nothing": "x"}}, "cases that do not exist: test_nothing"),
    ],
)
def test_cases_cannot_be_taken_out(body, words):
    with pytest.raises(TypeError, match=words):
        type("TestIt", (RegistrySuite,), body)
