"""The rows of `camelid plugins`, as data, as a text table and as JSON."""

from collections.abc import Sequence

import msgspec

from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus

__all__ = ("BackendRow", "PluginRow", "plugin_rows", "provides", "rows_as_json", "rows_as_text")


class BackendRow(msgspec.Struct, frozen=True):
    """A backend of a plugin."""

    name: str
    formats: tuple[str, ...]
    capabilities: tuple[str, ...]
    description: str = ""


class PluginRow(msgspec.Struct, frozen=True):
    """One plugin as people see it."""

    name: str
    distribution: str
    version: str
    status: PluginStatus
    hooks: tuple[str, ...]
    backends: tuple[BackendRow, ...]
    registries: tuple[str, ...]
    converters: tuple[str, ...]
    answer_formats: tuple[str, ...]
    reason: str
    """Why it is disabled or broken; empty if it is loaded."""


def plugin_rows(host: PluginHost) -> tuple[PluginRow, ...]:
    """What a host made of the plugins, in the order they were loaded."""
    return tuple(
        PluginRow(
            name=record.name,
            distribution=record.distribution,
            version=record.version,
            status=record.status,
            hooks=record.hooks,
            backends=tuple(_backend_row(host, name) for name in record.backends),
            registries=record.registries,
            converters=record.converters,
            answer_formats=record.answer_formats,
            reason=record.reason,
        )
        for record in host.records
    )


def _backend_row(host: PluginHost, name: str) -> BackendRow:
    descriptor = host.catalog.backends[name].descriptor
    return BackendRow(
        name=name,
        formats=tuple(sorted(descriptor.formats)),
        capabilities=tuple(sorted(descriptor.capabilities)),
        description=descriptor.description,
    )


def rows_as_json(rows: Sequence[PluginRow]) -> bytes:
    """The rows as an indented JSON array that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def rows_as_text(rows: Sequence[PluginRow]) -> str:
    """The rows as a table; what a plugin provides, or why it does not, stands in the last column."""
    lines = [("NAME", "PACKAGE", "STATUS", "PROVIDES")]
    for row in rows:
        package = f"{row.distribution} {row.version}".strip() or "-"
        lines.append((row.name, package, str(row.status), row.reason or provides(row)))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3])).rstrip() + "\n"
        for line in lines
    )


def provides(row: PluginRow) -> str:
    """What a loaded plugin brings, in a few words."""
    backends = [f"backend {backend.name} ({', '.join(backend.formats)})" for backend in row.backends]
    registries = [f"registry {name}" for name in row.registries]
    converters = [f"converter {name}" for name in row.converters]
    formats = [f"answer format {name}" for name in row.answer_formats]
    return ", ".join(backends + registries + converters + formats) or ", ".join(row.hooks)
