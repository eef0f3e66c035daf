"""Writes the reference pages that follow from the code; `python docs/reference/generate.py` brings them up to date.

A test holds the committed pages against this, so they cannot drift. What backends.md says comes from backends.json,
which `pytest backends/*/tests/test_conformance.py --camelid-report docs/reference/backends.json` writes, in minutes.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from camelid import errors, hookspecs, settings
from camelid.cli.chat.slash import SLASH_COMMANDS, help_text
from camelid.cli.group import camelid
from camelid.testing.outcomes import Outcome
from camelid.testing.report import KitReport, SuiteReport
from camelid.types.capabilities import Capability

__all__ = ("PAGES", "backends_page", "command_line_page", "errors_page", "hooks_page", "settings_page")

HERE = Path(__file__).parent
_HELP_COLUMNS = 100
NOTE = "<!-- Written by docs/reference/generate.py; edit the docstrings instead. -->"


def _documented_fields(cls: type) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and docstring of each annotated field of a class, in order."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    for node, after in zip(definition.body, [*definition.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            doc = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            default = ast.unparse(node.value) if node.value else ""
            yield node.target.id, ast.unparse(node.annotation), default, " ".join(str(doc).split())


def hooks_page() -> str:
    """Every hook with its exact signature."""
    parts = ["# Hooks", NOTE, inspect.getdoc(hookspecs) or ""]
    for name, hook in vars(hookspecs).items():
        if name.startswith("camelid_"):
            signature = str(inspect.signature(hook)).replace("'", "")
            parts += [f"## {name}", f"```python\n{name}{signature}\n```", f"```text\n{inspect.getdoc(hook)}\n```"]
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """The tree of errors."""
    return "\n\n".join(["# Errors", NOTE, f"```text\n{inspect.getdoc(errors)}\n```"]) + "\n"


def settings_page() -> str:
    """Every setting."""
    rows = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, kind, default, doc in _documented_fields(settings.Settings):
        cells = (f"`{name}`", f"`{kind}`", f"`{default}`", doc)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n\n".join(["# Settings", NOTE, inspect.getdoc(settings) or "", "\n".join(rows)]) + "\n"


def command_line_page() -> str:
    """The help of every command."""
    top = click.Context(camelid, info_name="camelid", terminal_width=_HELP_COLUMNS, **camelid.context_settings)
    parts = ["# Command line", NOTE, f"```text\n{camelid.get_help(top)}\n```"]
    for name in camelid.list_commands(top):
        command = camelid.get_command(top, name)
        assert command is not None
        parts += _command_help(name, command, top)
    topics = ["", *(entry.words[0] for entry in SLASH_COMMANDS if entry.entries), "shortcuts"]
    parts += ["## Slash commands", "In the chat that `camelid run MODEL` opens on a terminal:"]
    parts += [f"```text\n{help_text(topic, images=True).strip()}\n```" for topic in topics]
    return "\n\n".join(parts) + "\n"


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
    parts = ["# Backends", NOTE, _BACKENDS_INTRODUCTION]
    head = ["", *(f"{suite.backend}: {suite.suite.removeprefix('Test')}" for suite in suites)]
    rows = [head, ["---"] * len(head), ["every backend's duties", *(_found(report, suite, None) for suite in suites)]]
    for capability in Capability:
        cells = [_found(report, suite, capability) for suite in suites]
        if any(cells):
            rows.append([f"`{capability.value}`", *cells])
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    failing = [
        f"- {suite.backend}, {suite.suite}: `{case}`: {suite.reasons[case]}"
        for suite in suites
        for case in suite.cases_with(Outcome.XFAILED)
    ]
    parts += ["Cases that are expected to fail, and why:", "\n".join(failing)]
    return "\n\n".join(parts) + "\n"


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
    "errors.md": errors_page,
    "hooks.md": hooks_page,
    "settings.md": settings_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
