"""The whole report of `camelid doctor`, as data, as text and as JSON."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from camelid.cli.doctor.finding import Finding, Status, problem
from camelid.cli.tables import columns
from camelid.configuration import Configuration, ignored_variables, read_configuration
from camelid.errors import ConfigurationError
from camelid.settings import INHERITED_VARIABLES, Settings
from camelid.types.addresses import parse_address
from camelid.types.json import JsonValue

__all__ = ("Report", "SettingRow", "VariableRow", "examine", "report_as_json", "report_as_text")


class SettingRow(msgspec.Struct, frozen=True):
    """A setting in effect."""

    name: str
    value: JsonValue
    source: str
    """`default`, a file, a variable or a flag."""


class VariableRow(msgspec.Struct, frozen=True):
    """A variable that is set and is no setting."""

    name: str
    reason: str


class Report(msgspec.Struct, frozen=True):
    """Everything that was found."""

    healthy: bool
    """Whether there is no problem."""
    findings: tuple[Finding, ...]
    settings: tuple[SettingRow, ...]
    inherited_variables: tuple[str, ...]
    """Read by libraries in the workers."""
    ignored_variables: tuple[VariableRow, ...]


def examine(environ: Mapping[str, str] = os.environ) -> Report:
    """Look at everything. Nothing is changed or loaded, and wrong settings are a finding: the defaults stand in."""
    from camelid.cli.doctor.address import look_at_address
    from camelid.cli.doctor.machine import look_at_machine, look_at_plugins
    from camelid.cli.doctor.models_folder import look_at_models

    findings = [*look_at_machine()]
    try:
        configuration = read_configuration(environ=environ)
    except ConfigurationError as error:
        findings.append(problem("settings", f"{error.message}; every command ends with this"))
        defaults = msgspec.structs.replace(Settings(), models=Settings().models.expanduser())
        configuration = Configuration(defaults, {}, ())
    settings = configuration.settings
    findings += [problem("settings", mistake) for mistake in configuration.mistakes]
    findings += look_at_plugins(settings)
    findings += look_at_models(settings.models)
    findings.append(look_at_address(parse_address(settings.host)))
    return Report(
        healthy=all(finding.status is not Status.PROBLEM for finding in findings),
        findings=tuple(findings),
        settings=tuple(
            SettingRow(name, _plain(getattr(settings, name)), configuration.sources.get(name, "default"))
            for name in Settings.__struct_fields__
        ),
        inherited_variables=tuple(
            name for name in INHERITED_VARIABLES if environ.get(name) or environ.get(name.lower())
        ),
        ignored_variables=tuple(VariableRow(*item) for item in ignored_variables(environ).items()),
    )


def report_as_text(report: Report) -> str:
    """The report as tables; ignored variables only where there are some."""
    parts = [columns([(finding.status, finding.subject, finding.message) for finding in report.findings])]
    rows = [(row.name, _written(row.value), row.source) for row in report.settings]
    parts.append(columns([("SETTING", "VALUE", "FROM"), *rows]))
    if report.inherited_variables:
        parts.append(f"Read by libraries: {', '.join(report.inherited_variables)}\n")
    if report.ignored_variables:
        ignored = [(row.name, row.reason) for row in report.ignored_variables]
        parts.append(columns([("IGNORED VARIABLE", "WHY"), *ignored]))
    return "\n".join(parts)


def report_as_json(report: Report) -> bytes:
    """The report as an indented JSON object that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _plain(value: object) -> JsonValue:
    """A setting's value as JSON has it; for ever is a word."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and math.isinf(value):
        return "forever"
    plain: JsonValue = msgspec.to_builtins(value)
    return plain


def _written(value: JsonValue) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None or value == "" else str(value)
