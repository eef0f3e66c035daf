"""Code on pages that people wrote: it is included from files that tests run, or its commands exist."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from camelid.cli.group import camelid
from camelid.configuration import load_settings

ROOT = Path(__file__).parents[2]
GENERATED = "<!-- Written by docs/reference/generate.py"
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if GENERATED not in path.read_text(encoding="utf-8")
]
RUN_BY_TESTS = ("docs/reference/snippets", "docs/tutorial", "build/camelid-suffix")
"""Folders of which tests run every file; the last one is what `camelid new backend suffix` writes."""
SHELL = {"&&", "|", ">", "&", ";"}
UNCHECKED = {"text", "{toctree}"}
COMMAND = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*(?:.*&& )?(?:uv run )?camelid (.*)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\w+=\S+ )*camelid (\S[^`]*)`")
BLOCK = re.compile(r"^( *)```(\S+)(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)


class Block(NamedTuple):
    page: Path
    language: str
    argument: str
    body: str


def _blocks(page: Path, *languages: str) -> Iterator[Block]:
    for _, language, argument, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if not languages or language in languages:
            yield Block(page, language, argument.strip(), body)


def _each(*languages: str):
    found = [block for page in PAGES for block in _blocks(page, *languages)]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.page.relative_to(ROOT).as_posix())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_block_is_in_a_language_that_nothing_checks(page):
    known = {"sh", "console", "toml", "{literalinclude}", *UNCHECKED}
    assert {block.language for block in _blocks(page)} <= known


@_each("{literalinclude}")
def test_what_is_included_is_run_by_tests(block):
    path = (block.page.parent / block.argument).resolve().relative_to(ROOT)
    assert any(path.is_relative_to(folder) for folder in RUN_BY_TESTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_sentences_exist(page):
    for line in INLINE.findall(page.read_text(encoding="utf-8")):
        _parse(camelid, shlex.split(line))


@_each("sh", "console")
def test_commands_and_their_options_exist(block):
    for line in COMMAND.findall(block.body.replace("\\\n", " ")):
        _parse(camelid, [*takewhile(lambda word: word not in SHELL, shlex.split(line, comments=True))])


def _parse(command: click.Command, arguments: list[str], parent: click.Context | None = None) -> None:
    """Read a command line as click does, up to where the command would run.

    Raises:
        click.ClickException: there is no such command or option.
    """
    context = click.Context(command, parent=parent, **command.context_settings)
    if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        _, found, rest = command.resolve_command(context, arguments)
        assert found is not None
        _parse(found, rest, context)
    else:
        command.make_parser(context).parse_args(arguments)


@_each("toml")
def test_settings_exist(block, tmp_path):
    file = tmp_path / "camelid.toml"
    file.write_text(block.body)
    load_settings(environ={}, file=file)


@pytest.mark.parametrize("line", ["serve --no-such-option", "no-such-command", "compare smollm2:135m --backend"])
def test_a_renamed_option_would_be_noticed(line):
    with pytest.raises(click.ClickException):
        _parse(camelid, line.split())
