import asyncio
import threading

import pytest

from camelid.engine.choosing import BackendChooser, ModelNeeds
from camelid.errors import ConfigurationError, UnsupportedCapabilityError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.selection import ModelToLoad

WORDS = Capability.COMPLETION


def backend(name: str, *can: Capability, formats: tuple[str, ...] = ("gguf",), priority: int = 0) -> RegisteredBackend:
    descriptor = BackendDescriptor(
        name=name, formats=frozenset(formats), capabilities=frozenset(can), priority=priority
    )
    return RegisteredBackend(descriptor, plugin=name, distribution=f"camelid-{name}")


CATALOG = Catalog(
    {
        known.name: known
        for known in (
            backend("old", WORDS, formats=("ggml", "gguf"), priority=-1),
            backend("new", WORDS, Capability.EMBEDDING),
            backend("eyes", Capability.VISION, WORDS, priority=-5),
        )
    }
)


def choose(*rules: str, name: str = "bob:latest", **model: object) -> tuple[str, str]:
    choice = BackendChooser(CATALOG, rules).choose(ModelNeeds(name=name, **{"format": "gguf", **model}))
    return choice.backend.name, choice.reason


def test_the_one_that_reads_the_format():
    assert choose(format="ggml") == ("old", "no other backend reads ggml")
    with pytest.raises(UnsupportedCapabilityError, match="no installed backend loads models of the format 'onnx'"):
        choose(format="onnx")


def test_of_several_the_one_that_goes_before():
    assert choose() == ("new", "it goes before others that read gguf: eyes, old")


def test_of_equals_the_first_by_name():
    catalog = Catalog({name: backend(name) for name in ("b", "a")})
    choice = BackendChooser(catalog).choose(ModelNeeds(name="x", format="gguf"))
    assert choice.backend.name == "a"
    assert choice.reason == "it is the first by name of those that read gguf; others: b"


def test_what_the_model_is_for_comes_before_priority():
    chosen = choose(capabilities={WORDS, Capability.VISION})
    assert chosen == ("eyes", "it can do more of what the model is for (completion, vision) than new, old")
    assert choose(capabilities={Capability.EMBEDDING})[0] == "new"
    assert choose(capabilities={Capability.AUDIO})[0] == "new"


def test_request_then_setting_then_parameter():
    model = {"named_by_model": "old", "named_by_request": "eyes"}
    assert choose("bob=new", **model) == ("eyes", "the request asks for it")
    assert choose("bob=new", named_by_model="old") == ("new", "the setting backends says so for bob:latest")
    assert choose("alice=new", named_by_model="old") == ("old", "the model's parameter backend names it")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("bob=old", True),
        ("bob:latest = old", True),
        ("BOB=old", True),
        ("bob:8b=old", False),
        ("b*=old", True),
        ("*:8b=old", False),
        ("*=old", True),
        ("someone/bob=old", False),
    ],
)
def test_rules_name_models(rule, fits):
    assert (choose(rule)[0] == "old") is fits


def test_the_first_rule_that_fits_counts():
    assert choose("bob=eyes", "*=old")[0] == "eyes"
    assert choose("bob=eyes", "*=old", name="alice:latest")[0] == "old"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("bob", "wants MODEL=BACKEND, not 'bob'"),
        ("=old", "'' is no model's name"),
        ("bob=older", "names the backend 'older'; there are: eyes, new, old"),
        ("b b=old", "'b b' is no model's name"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(rule, why):
    with pytest.raises(ConfigurationError, match=why):
        BackendChooser(CATALOG, [rule])


@pytest.mark.parametrize("who", ["named_by_request", "named_by_model"])
def test_a_backend_that_cannot_read_it_is_refused_whoever_names_it(who):
    with pytest.raises(UnsupportedCapabilityError, match="'new' does not load models of the format 'ggml'"):
        choose(format="ggml", **{who: "new"})
    with pytest.raises(UnsupportedCapabilityError, match="no backend 'newer'; backends that can: eyes, new, old"):
        choose(**{who: "newer"})


def chooser(answer, *rules: str) -> tuple[BackendChooser, list[ModelToLoad]]:
    """One that asks a plugin, and what it was asked."""
    asked: list[ModelToLoad] = []

    def ask(model, candidates):
        asked.append(model)
        assert {candidate.name for candidate in candidates} == {"old", "new", "eyes"}
        return answer and (answer, "picky")

    return BackendChooser(CATALOG, rules, ask), asked


def test_a_plugin_chooses_where_nobody_names_one_and_is_asked_once():
    choosing, asked = chooser("old")
    for _ in range(2):
        choice = choosing.choose(ModelNeeds(name="bob", format="gguf", capabilities=[WORDS]))
        assert (choice.backend.name, choice.reason) == ("old", "the plugin picky chose it")
    assert asked == [ModelToLoad(name="bob", format="gguf", capabilities=frozenset({WORDS}))]
    choosing.forget()
    choosing.choose(ModelNeeds(name="bob", format="gguf", capabilities=[WORDS]))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("rules", "named"),
    [([], {"named_by_request": "new"}), (["bob=new"], {}), ([], {"named_by_model": "new"}), ([], {"format": "ggml"})],
)
async def test_a_plugin_is_not_asked_where_there_is_nothing_to_choose(rules, named):
    choosing, asked = chooser("eyes", *rules)
    choice = await choosing.choose_on_loop(ModelNeeds(name="bob:latest", **{"format": "gguf", **named}))
    assert choice.backend.name in ("new", "old")
    assert asked == []


async def test_a_plugin_that_does_not_choose_leaves_it_to_priorities_and_never_blocks_the_loop():
    threads = []

    def ask(model, candidates):
        threads.append(threading.current_thread())

    choosing = BackendChooser(CATALOG, (), ask)
    for _ in range(2):
        choice = await choosing.choose_on_loop(ModelNeeds(name="bob", format="gguf"))
        assert choice.reason == "it goes before others that read gguf: eyes, old"
    (thread,) = threads
    assert thread is not threading.main_thread()


async def test_whoever_asks_meanwhile_gets_the_same_answer_even_if_the_first_leaves():
    begun, answer, asked = threading.Event(), threading.Event(), []

    def ask(model, candidates):
        asked.append(model)
        begun.set()
        answer.wait()
        return "old", "picky"

    choosing = BackendChooser(CATALOG, (), ask)
    model = ModelNeeds(name="bob", format="gguf")
    first, second = (asyncio.create_task(choosing.choose_on_loop(model)) for _ in range(2))
    await asyncio.to_thread(begun.wait)
    first.cancel()
    answer.set()
    assert (await second).backend.name == "old"
    assert choosing.choose(model).backend.name == "old"
    assert len(asked) == 1
