import pytest

from camelid.errors import ConfigurationError, ModelNotFoundError, RemoteModelError
from camelid.services.aliases import NO_ALIASES, Aliases
from camelid.services.library import Library, ShowRequest
from camelid.services.loading import Models
from camelid.types.names import ModelName


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("fast", "hf.co/o/r:Q4_K_M"),
        ("FAST:latest", "hf.co/o/r:Q4_K_M"),
        ("registry.ollama.ai/library/fast", "hf.co/o/r:Q4_K_M"),
        ("fast:1b", "fast:1b"),
        ("me/fast", "me/fast:latest"),
        ("me/small:1b", "example.org/m/x:3a909f9bdf43"),
        ("twice", "fast:latest"),
        ("oci://registry.ollama.ai/library/fast", "fast:latest"),
    ],
)
def test_an_alias_is_a_whole_name(asked, meant):
    aliases = Aliases(
        ["fast = hf.co/o/r:Q4_K_M", "me/small:1b=https://example.org/m/x.gguf?a=b", "twice=other", "twice=fast"]
    )
    assert aliases.parse(asked).short == meant
    assert NO_ALIASES.parse(asked) == ModelName.parse(asked)


@pytest.mark.parametrize("entry", ["fast", "=x", "fast=", "a//b=x", "fast=a//b", "oci://x/y=z", "https://x/y.gguf=z"])
def test_what_is_no_alias_is_refused(entry):
    with pytest.raises(ConfigurationError, match=r"the setting aliases wants NAME=MODEL, .* and entry 2 is none"):
        Aliases(["a=b", entry])


def test_what_is_wrong_in_an_alias_is_not_repeated():
    with pytest.raises(ConfigurationError, match="leave out the user name and the password") as refused:
        Aliases(["fast=https://me:secret@h/x.gguf"])
    assert "secret" not in f"{refused.value.message} {refused.value.reason}"


def test_a_model_that_runs_elsewhere_is_still_refused():
    with pytest.raises(RemoteModelError, match="elsewhere"):
        NO_ALIASES.parse("x:cloud", unavailable="elsewhere")


async def test_who_runs_or_shows_an_alias_gets_what_it_stands_for(store, add_model):
    add_model("echo:1b")
    aliases = Aliases(["fast=echo:1b"])
    assert (await Models(store, aliases=aliases).find("fast")).stored.name.short == "echo:1b"
    library = Library(store, aliases=aliases)
    assert (await library.show(ShowRequest(model="fast"))).model.name.short == "echo:1b"
    with pytest.raises(ModelNotFoundError, match="'fast' not found; the setting aliases lets it stand for 'echo:1b'"):
        await library.delete("fast")
