import re
import tomllib
from pathlib import Path

import pytest

import camelid
from camelid.errors import RequestError
from camelid.scaffold import package
from camelid.scaffold.names import PackageNames
from camelid.scaffold.package import PackageKind, write_package

NAMES = PackageNames.parse("my-llama")
PUBLIC = {"camelid", "camelid.contracts", "camelid.errors", "camelid.types"}


@pytest.mark.parametrize("kind", PackageKind)
def test_every_file_is_written_and_no_placeholder_is_left(kind, tmp_path):
    written = write_package(kind, NAMES, tmp_path / "new")
    assert {Path("pyproject.toml"), Path("README.md"), Path("src/camelid_my_llama/plugin.py")} <= set(written)
    assert sorted(written) == sorted(
        path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*") if path.is_file()
    )
    for path in written:
        text = (tmp_path / "new" / path).read_text(encoding="utf-8")
        assert not re.search(r"\$[a-z{]", f"{path} {text}"), path
        if path.suffix == ".py":
            compile(text, str(path), "exec")


@pytest.mark.parametrize("kind", PackageKind)
def test_only_the_public_side_is_imported(kind, tmp_path):
    write_package(kind, NAMES, tmp_path)
    imported = {
        name
        for path in tmp_path.rglob("src/**/*.py")
        for name in re.findall(r"^ *from (camelid[.\w]*) import", path.read_text(), re.MULTILINE)
        if not name.startswith(NAMES.module)
    }
    assert imported
    assert {".".join(name.split(".")[:2]) for name in imported} <= PUBLIC


def test_the_projects_names_and_versions(tmp_path):
    write_package(PackageKind.BACKEND, NAMES, tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "camelid-my-llama"
    assert project["entry-points"] == {"camelid": {"my-llama": "camelid_my_llama.plugin"}}
    assert project["dependencies"][0].startswith(f"camelid>={camelid.__version__},<")
    assert "license" not in project


@pytest.mark.parametrize(
    ("version", "range_"), [("0.1.0", ">=0.1.0,<0.2"), ("0.9.3", ">=0.9.3,<0.10"), ("1.2.0", ">=1.2.0,<2")]
)
def test_versions_with_another_promise_are_left_out(version, range_, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "__version__", version)
    write_package(PackageKind.REGISTRY, NAMES, tmp_path)
    assert f'"camelid{range_}"' in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("there", ["file", "folder"])
def test_nothing_is_overwritten(there, tmp_path):
    place = tmp_path / "new"
    kept = place
    if there == "folder":
        place.mkdir()
        kept = place / "mine.txt"
    kept.write_text("mine")
    with pytest.raises(RequestError, match=r"there is something at .*new already: name an empty folder"):
        write_package(PackageKind.BACKEND, NAMES, place)
    assert kept.read_text() == "mine"
    assert list(tmp_path.rglob("*")) == [place] if there == "file" else [place, kept]


def test_an_empty_folder_is_taken(tmp_path):
    assert write_package(PackageKind.BACKEND, NAMES, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"cannot write to .*below"):
        write_package(PackageKind.BACKEND, NAMES, tmp_path / "file" / "below")
