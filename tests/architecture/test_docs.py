"""Pages that are written by hand name only files and commands that exist."""

import re

import pytest

from camelid.cli.group import COMMANDS

PAGES = (
    "README.md",
    "contrib/README.md",
    "contrib/camelid-numpy/README.md",
    "contrib/camelid-upstream/README.md",
    "docs/onboarding.md",
    "docs/design.md",
)
FOLDERS = ("", "framework/src/camelid", "framework/src/camelid/cli")
PATH = re.compile(r"`([\w./-]+/[\w.-]*|[\w.-]+\.(?:py|md))`")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def _exists(root, page: str, path: str) -> bool:
    return (root / page).parent.joinpath(path).exists() or any((root / folder / path).exists() for folder in FOLDERS)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(root, page):
    text = (root / page).read_text(encoding="utf-8")
    named = [*PATH.findall(text), *LINK.findall(text)]
    missing = [path for path in named if not path.startswith("/") and not _exists(root, page, path)]
    assert named
    assert missing == []


def test_the_tree_on_the_onboarding_page_is_the_tree(root):
    text = (root / "docs" / "onboarding.md").read_text(encoding="utf-8")
    tree = text.split("```text\n")[1].split("```")[0]
    framework = root / "framework" / "src" / "camelid"
    packages = {path.name for path in framework.iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^    (\w+)/", tree, re.MULTILINE)) == packages
    distributions = {
        path.parent.name for top in ("backends", "plugins", "contrib") for path in (root / top).glob("*/pyproject.toml")
    }
    assert set(re.findall(r"^  (camelid-[\w-]+)/", tree, re.MULTILINE)) == distributions


def test_the_readme_names_only_commands_that_exist(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"uv run camelid (\w+)", text)) | set(
        re.search(r"also ([\w, ]+)$", text, re.MULTILINE)[1].split(", ")
    )
    assert len(commands) > 8
    assert commands <= set(COMMANDS)
