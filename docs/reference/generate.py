"""Writes the reference pages that follow from the code; `python docs/reference/generate.py` brings them up to date.

A test holds the committed pages against this, so they cannot drift. What backends.md says comes from backends.json,
which `pytest backends/*/tests/test_conformance.py --camelid-report docs/reference/backends.json` writes, in minutes.
"""

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
from writing.docstrings import as_markdown
from writing.modules import documented_fields, module_section

import camelid
import camelid.contracts
import camelid.testing
import camelid.types
from camelid import hookspecs, settings
from camelid.cli.chat.slash import SLASH_COMMANDS, help_text
from camelid.cli.group import camelid as group
from camelid.testing.backend import BackendSuite
from camelid.testing.outcomes import Outcome
from camelid.testing.registry import RegistrySuite
from camelid.testing.report import KitReport, SuiteReport
from camelid.types.capabilities import Capability

__all__ = ("PAGES",)

HERE = Path(__file__).parent
_HELP_COLUMNS = 100
NOTE = "<!-- Written by docs/reference/generate.py; edit the docstrings instead. -->"


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *filter(None, parts)]) + "\n"


def _about(what: object) -> str:
    return as_markdown(inspect.getdoc(what) or "")


def hooks_page() -> str:
    """Every hook with its exact signature, and a plugin that implements it."""
    parts = [_about(hookspecs), _SNIPPETS_INTRODUCTION]
    for name, hook in vars(hookspecs).items():
        if name.startswith("camelid_"):
            signature = str(inspect.signature(hook)).replace("'", "")
            snippet = (HERE / "snippets" / f"{name}.py").read_text(encoding="utf-8")
            parts += [f"## {name}", f"```python\n{name}{signature}\n```", _about(hook)]
            parts += ["**A plugin that does it:**", f"```python\n{snippet}```"]
    return _page("Hooks", *parts)


_SNIPPETS_INTRODUCTION = """\
With each hook stands a whole plugin that implements it; Camelid's tests run them as they stand here
(`docs/reference/snippets/`)."""


def errors_page() -> str:
    """The tree of errors, and each of them."""
    return _page("Errors", module_section("camelid.errors"))


def contracts_page() -> str:
    """What plugins implement and are given."""
    sections = [module_section(name) for name in _modules(camelid.contracts)]
    described = set(re.findall(r"^### (.+)$", "\n".join(sections), re.MULTILINE))
    names = ", ".join(f"[`{name}`](#{name.lower()})" for name in camelid.__all__ if name in described)
    return _page("Contracts", _about(camelid.contracts), _NAMES_INTRODUCTION, f"{names}.", _NUMBERS, *sections)


_NAMES_INTRODUCTION = """\
Plugins import from `camelid`, `camelid.types` ([types](types.md)), `camelid.errors` ([errors](errors.md)) and
`camelid.contracts`, from nowhere else. `from camelid import …` has `hookimpl`, `API_VERSION`, `__version__` and, of
what is described below,"""

_NUMBERS = """\
*Contract 3.9* means section 3.9 of the description of Ollama's behaviour from which Camelid was built."""


def types_page() -> str:
    """The plain data that contracts are about."""
    return _page("Types", _about(camelid.types), _NUMBERS, *map(module_section, _modules(camelid.types)))


def messages_page() -> str:
    """What server and worker say to each other."""
    modules = ("camelid.wire.messages", "camelid.wire.framing")
    return _page("Messages", _MESSAGES_INTRODUCTION, *map(module_section, modules))


_MESSAGES_INTRODUCTION = """\
What server and worker say to each other. A backend meets none of this; whoever writes a `Placement` carries frames
without reading them."""


def kit_page() -> str:
    """The conformance kits, and what each of their cases proves."""
    parts = [_about(camelid.testing)]
    registry_cases = [name for name in dir(RegistrySuite) if name.startswith("test_")]
    for suite, cases in ((BackendSuite, BackendSuite.cases()), (RegistrySuite, registry_cases)):
        rows = [f"- `{name}`: {' '.join((inspect.getdoc(getattr(suite, name)) or '').split())}" for name in cases]
        parts += [module_section(suite.__module__), f"#### Cases of {suite.__name__}", "\n".join(rows)]
    more = ("camelid.testing.outcomes", "camelid.testing.registry_source", "camelid.testing.loopback")
    return _page("The conformance kit", *parts, *map(module_section, more))


def _modules(package: ModuleType) -> list[str]:
    """The modules of a package by name, then those of the packages inside it."""
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return sorted((each.name for each in found), key=lambda name: (name.count("."), name))


def settings_page() -> str:
    """Every setting."""
    rows = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
    (definition,) = ast.parse(inspect.getsource(settings.Settings)).body
    assert isinstance(definition, ast.ClassDef)
    for name, kind, default, doc in documented_fields(definition):
        cells = (f"`{name}`", f"`{kind}`", f"`{default}`", doc)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return _page("Settings", _about(settings), "\n".join(rows))


def command_line_page() -> str:
    """The help of every command."""
    top = click.Context(group, info_name="camelid", terminal_width=_HELP_COLUMNS, **group.context_settings)
    parts = [f"```text\n{group.get_help(top)}\n```"]
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        assert command is not None
        parts += _command_help(name, command, top)
    topics = ["", *(entry.words[0] for entry in SLASH_COMMANDS if entry.entries), "shortcuts"]
    parts += ["## Slash commands", "In the chat that `camelid run MODEL` opens on a terminal:"]
    parts += [f"```text\n{help_text(topic, images=True).strip()}\n```" for topic in topics]
    return _page("Command line", *parts)


def _command_help(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    """The help of a command, then that of its subcommands."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_HELP_COLUMNS)
    yield f"## {context.command_path.removeprefix('camelid ')}"
    yield f"```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for below, subcommand in command.commands.items():
            yield from _command_help(below, subcommand, context)


def backends_page() -> str:
    """What each backend declares, and what the conformance kit found."""
    report = KitReport.read(HERE / "backends.json")
    suites = report.suites
    head = ["", *(f"{suite.backend}: {suite.suite.removeprefix('Test')}" for suite in suites)]
    rows = [head, ["---"] * len(head), ["every backend's duties", *(_found(report, suite, None) for suite in suites)]]
    for capability in Capability:
        cells = [_found(report, suite, capability) for suite in suites]
        if any(cells):
            rows.append([f"`{capability.value}`", *cells])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    failing = [
        f"- {suite.backend}, {suite.suite}: `{case}`: {suite.reasons[case]}"
        for suite in suites
        for case in suite.cases_with(Outcome.XFAILED)
    ]
    failures = ["Cases that are expected to fail, and why:", "\n".join(failing)] if failing else []
    return _page("Backends", _BACKENDS_INTRODUCTION, table, *failures)


_BACKENDS_INTRODUCTION = """\
A column is a backend with one model of its conformance tests (`backends/*/tests/test_conformance.py`): what a backend
can do depends on the model. A row is a capability, as `camelid.types.capabilities` describes it. Numbers count the
cases of the kit (`camelid.testing`) that passed, most of them both in the tests' process and in a worker of their own;
`camelid check BACKEND --model MODEL` runs the same cases on your machine with your model.

- **4**: declared, and proven by so many cases.
- **refused**: not declared, and each case about it ended in the error that says so.
- **of**: the others could not run, or are listed below.
- nothing: not declared, and no case is about it."""


def _found(report: KitReport, suite: SuiteReport, capability: Capability | None) -> str:
    """A cell of the matrix."""
    cases = [suite.outcomes[case] for case, needs in report.cases.items() if needs is capability]
    declared = capability is None or capability in suite.declared
    if not cases:
        return ""
    good = "passed" if declared else "refused"
    count = sum(outcomes == good for outcomes in cases)
    if not declared and count == len(cases):
        return "refused"
    return str(count) if count == len(cases) else f"{count} of {len(cases)}"


PAGES = {
    "backends.md": backends_page,
    "command-line.md": command_line_page,
    "contracts.md": contracts_page,
    "errors.md": errors_page,
    "hooks.md": hooks_page,
    "kit.md": kit_page,
    "messages.md": messages_page,
    "settings.md": settings_page,
    "types.md": types_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
