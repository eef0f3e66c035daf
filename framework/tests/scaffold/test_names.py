import pytest

from camelid.errors import RequestError
from camelid.scaffold.names import PackageNames, check_free


@pytest.mark.parametrize("text", ["my-runtime", "camelid-my-runtime"])
def test_every_name_follows_from_one(text):
    names = PackageNames.parse(text)
    assert (names.name, names.distribution, names.module) == ("my-runtime", "camelid-my-runtime", "camelid_my_runtime")
    assert (names.classes, names.word) == ("MyRuntime", "myruntime")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camelid-",
        "My",
        "my_runtime",
        "7b",
        "-x",
        "x-",
        "x--y",
        "../x",
        "x/y",
        "x.y",
        "x y",
        "ñandu",
        "x\n",
        "x" * 41,
    ],
)
def test_what_cannot_be_a_name_is_refused(text):
    with pytest.raises(RequestError, match="cannot be the name of a package: take small letters and digits"):
        PackageNames.parse(text)


def test_the_name_of_an_installed_plugin_is_taken():
    with pytest.raises(RequestError, match="camelid-echo, which is installed, has a plugin 'echo' already"):
        check_free(PackageNames.parse("echo"))
