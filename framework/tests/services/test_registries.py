from collections.abc import Callable
from threading import Event

import pytest

from camelid.contracts.registry import Registry, ResolvedModel, TransientRegistryError
from camelid.errors import ConfigurationError, RegistryError
from camelid.services import registries as module
from camelid.services.registries import Registries, RegistryRules
from camelid.services.watched_job import AbandonedError
from camelid.types.names import ModelName

NAME = ModelName.parse("me/model")
FOUND = ResolvedModel(layers=())


class Named(Registry):
    """Knows everything that `knows` says yes to, and remembers what it was asked."""

    def __init__(
        self,
        name: str,
        *,
        remote: bool = False,
        knows: Callable[[ModelName], bool] = lambda _: False,
        fails: list[Exception] | None = None,
        takes: bool = False,
        protocol: str = "",
    ) -> None:
        self._name = name
        self._remote = remote
        self._knows = knows
        self._fails = fails or []
        self._takes = takes
        self._protocol = protocol
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def remote(self) -> bool:
        return self._remote

    @property
    def protocol(self) -> str:
        return self._protocol

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        self.asked.append(f"{name.scheme}://{name.qualified}")
        if self._fails:
            raise self._fails.pop(0)
        return FOUND if self._knows(name) else None

    def can_push(self, name: ModelName) -> bool:
        return self._takes


def everything(_name: ModelName) -> bool:
    return True


def far(**options: object) -> Named:
    return Named("far", remote=True, knows=everything, **options)


@pytest.mark.parametrize(
    ("first", "order"), [((), "near1 near2 far"), (("far",), "far near1 near2"), (("near2", "far"), "near2 far near1")]
)
def test_the_named_come_first_then_those_of_this_machine(first, order):
    known = Registries([Named("far", remote=True), Named("near1"), Named("near2")], RegistryRules(first=first))
    with pytest.raises(RegistryError, match="pull model manifest: file does not exist") as refused:
        known.resolve(NAME)
    assert refused.value.reason.endswith(f"registries asked: {', '.join(order.split())}")


def test_the_first_that_knows_a_name_is_taken():
    near, other = Named("near", knows=everything), far()
    assert Registries([other, near]).resolve(NAME).registry is near
    assert other.asked == []


def test_a_mirror_is_asked_for_the_host_that_it_stands_for():
    near, other = Named("near"), far()
    rules = RegistryRules(mirrors=("registry.ollama.ai = http://127.0.0.1:5000/", "Hub.Example=https://mirror"))
    known = Registries([near, other], rules)
    for name in ("me/model", "hub.example/me/model", "third.example/me/model"):
        known.resolve(ModelName.parse(name))
    assert near.asked[0] == "https://registry.ollama.ai/me/model:latest"
    assert other.asked == [
        "http://127.0.0.1:5000/me/model:latest",
        "https://mirror/me/model:latest",
        "https://third.example/me/model:latest",
    ]


@pytest.mark.parametrize("mirror", ["x", "x=y", "x=ftp://y", "x=http://", "x=http://y/z", "=http://y", "a/b=http://y"])
def test_what_is_no_mirror_is_refused(mirror):
    with pytest.raises(ConfigurationError, match="registry_mirrors wants HOST="):
        Registries([], RegistryRules(mirrors=(mirror,)))


def test_insecure_asks_over_plain_http():
    other = far()
    Registries([other]).resolve(NAME, insecure=True)
    assert other.asked == ["http://registry.ollama.ai/me/model:latest"]


def test_only_who_speaks_the_protocol_of_a_name_is_asked():
    near, usual, other = Named("near", knows=everything), far(takes=True), Named("other", remote=True, protocol="oci")
    rules = RegistryRules(mirrors=("far.example=http://127.0.0.1:5000", "hub.example=https://mirror"))
    known = Registries([near, usual, other], rules)
    for name in ("oci://x/a/b", "oci://far.example/a/b", "oci+http://hub.example/a/b"):
        with pytest.raises(RegistryError, match="file does not exist"):
            known.resolve(ModelName.parse(name))
    with pytest.raises(RegistryError, match="file does not exist"):
        known.resolve(ModelName.parse("oci://x/a/b"), insecure=True)
    with pytest.raises(RegistryError, match="no installed registry takes models for x"):
        known.target(ModelName.parse("oci://x/a/b"))
    assert other.asked == [
        "oci://x/a/b:latest",
        "oci+http://127.0.0.1:5000/a/b:latest",
        "oci://mirror/a/b:latest",
        "oci+http://x/a/b:latest",
    ]
    assert near.asked == usual.asked == []
    with pytest.raises(RegistryError, match="pull model manifest: no installed registry knows names with ftp://"):
        known.resolve(ModelName.parse("ftp://x/a/b"))
    with pytest.raises(RegistryError, match=r"^no installed registry knows names with ftp://"):
        known.target(ModelName.parse("ftp://x/a/b"))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RegistryRules(air_gapped=True), "the setting air_gapped allows no registry on another machine"),
        (RegistryRules(hosts=()), "the setting registry_hosts does not allow registry.ollama.ai"),
        (RegistryRules(hosts=("other.example",)), "the setting registry_hosts does not allow registry.ollama.ai"),
    ],
)
def test_who_is_not_to_be_asked_is_not(rules, words):
    near, other = Named("near", knows=lambda name: name.model == "here"), far(takes=True)
    known = Registries([near, other], rules)
    assert known.resolve(ModelName.parse("here")).registry is near
    with pytest.raises(RegistryError, match=f"pull model manifest: {words}") as caught:
        known.resolve(NAME)
    assert caught.value.status == 403
    with pytest.raises(RegistryError, match=f"^{words}"):
        known.target(NAME)
    assert other.asked == []


def test_hosts_that_are_allowed_are_asked():
    known = Registries([far()], RegistryRules(hosts=("Registry.Ollama.AI",)))
    assert known.resolve(NAME).registry.name == "far"


def test_busy_registries_are_asked_again(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    busy = far(fails=[TransientRegistryError("503: later"), TransientRegistryError("503: later")])
    assert Registries([busy]).resolve(NAME).model is FOUND
    assert len(busy.asked) == 3
    busier = far(fails=[TransientRegistryError("503: later") for _ in range(3)])
    with pytest.raises(RegistryError, match=r"^pull model manifest: 503: later$"):
        Registries([busier]).resolve(NAME)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RegistryError("403: no", reason="why"), "pull model manifest: 403: no"),
        (RegistryError("pull model manifest: 403: no"), "pull model manifest: 403: no"),
        (ConnectionRefusedError("refused"), "pull model manifest: refused"),
        (ZeroDivisionError("oops"), "the registry far failed; see the server's log"),
    ],
)
def test_what_a_registry_says_is_told(error, words):
    with pytest.raises(RegistryError) as refused:
        Registries([far(fails=[error])]).resolve(NAME)
    assert refused.value.message == words


def test_models_go_to_the_first_that_takes_them():
    known = Registries(
        [Named("near"), Named("giver", remote=True), far(takes=True)],
        RegistryRules(mirrors=("registry.ollama.ai=http://127.0.0.1:5000",)),
    )
    registry, name = known.target(NAME)
    assert (registry.name, name.scheme, name.host) == ("far", "http", "127.0.0.1:5000")
    with pytest.raises(RegistryError, match=r"no installed registry takes models for registry\.ollama\.ai"):
        Registries([Named("near")]).target(NAME)


@pytest.mark.parametrize("busy", [True, False])
def test_who_leaves_waits_neither_for_an_answer_nor_for_the_next_try(busy, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 1e9)
    release, asked = Event(), Event()

    def answer(_name: ModelName) -> bool:
        asked.set()
        if busy:
            raise TransientRegistryError("503: later")
        return release.wait()

    def leave() -> None:
        if asked.is_set():
            raise AbandonedError

    with pytest.raises(AbandonedError):
        Registries([Named("silent", remote=True, knows=answer)]).resolve(NAME, watch=leave)
    release.set()


def test_one_that_never_answers_is_given_up():
    release = Event()
    silent = Named("silent", remote=True, knows=lambda _: release.wait())
    with pytest.raises(RegistryError, match=r"^pull model manifest: nothing was heard of the registry for 0\.01 s$"):
        Registries([silent], patience=0.01).resolve(NAME)
    release.set()


def test_addresses_of_files_follow_the_rules_of_names():
    other = Named("web", remote=True, protocol="web", knows=everything)
    rules = RegistryRules(mirrors=("far.example=http://127.0.0.1:5000",), hosts=("far.example",))
    known = Registries([far(), other], rules)
    address = ModelName.parse("https://far.example/models/x.gguf?a=b")
    assert known.resolve(address).registry is other
    assert other.asked == [f"web+http://127.0.0.1:5000/models/x:{address.tag}"]
    with pytest.raises(RegistryError, match=r"the setting registry_hosts does not allow other\.example"):
        known.resolve(ModelName.parse("https://other.example/far.example/x.gguf"))
    with pytest.raises(RegistryError, match="the setting air_gapped allows no registry"):
        Registries([other], RegistryRules(air_gapped=True)).resolve(address)
    with pytest.raises(RegistryError, match="no installed registry knows addresses of files: `camelid plugins`"):
        Registries([far()]).resolve(address)
    with pytest.raises(RegistryError, match=r"no installed registry takes models for far\.example"):
        known.target(address)
