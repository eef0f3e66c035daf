"""Every hook says, in one form, what it is for, what it takes and gives, and where it runs."""

import inspect
import re

import pytest

from camelid import hookspecs

HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("camelid_")}


def test_the_five_roles_have_hooks():
    assert {
        "camelid_load_model",
        "camelid_tokenizer",
        "camelid_generator",
        "camelid_embedder",
        "camelid_registries",
    } <= set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_typed_and_documented(name):
    hook = HOOKS[name]
    signature = inspect.signature(hook)
    doc = inspect.getdoc(hook) or ""
    assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
    assert signature.return_annotation is not signature.empty
    assert not inspect.iscoroutinefunction(hook)
    for parameter in signature.parameters:
        assert re.search(rf"^    {parameter}: ", doc, re.MULTILINE), f"{name} does not document {parameter}"
    if signature.return_annotation != "None":
        assert "Returns:" in doc
    places = re.search(r"^Runs in: (.+)$", doc, re.MULTILINE)
    assert places
    assert set(places[1].split(", ")) <= {"server", "worker", "cli"}
