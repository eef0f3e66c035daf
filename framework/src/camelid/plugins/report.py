"""The records of plugins, as `camelid plugins` shows them: a text table or JSON."""

from collections.abc import Sequence

import msgspec

from camelid.plugins.record import BackendRecord, PluginRecord

__all__ = ("provides", "records_as_json", "records_as_text")


def records_as_json(records: Sequence[PluginRecord]) -> bytes:
    """The records as an indented JSON array that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(records), indent=2) + b"\n"


def records_as_text(records: Sequence[PluginRecord]) -> str:
    """The records as a table; what a plugin provides, or why it does not, stands in the last column."""
    lines = [("NAME", "PACKAGE", "STATUS", "PROVIDES")]
    for record in records:
        package = f"{record.distribution} {record.version}".strip() or "-"
        lines.append((record.name, package, str(record.status), record.reason or provides(record)))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3])).rstrip() + "\n"
        for line in lines
    )


def provides(record: PluginRecord) -> str:
    """What a loaded plugin brings, in a few words."""
    backends = [_backend(backend) for backend in record.backends]
    registries = [f"registry {name}" for name in record.registries]
    converters = [f"converter {name}" for name in record.converters]
    formats = [f"answer format {name}" for name in record.answer_formats]
    commands = [f"command {name}" for name in record.commands]
    routes = [f"route {path} (if the setting routes names {record.name})" for path in record.routes]
    return ", ".join(backends + registries + converters + formats + commands + routes) or ", ".join(record.hooks)


def _backend(backend: BackendRecord) -> str:
    named = f"backend {backend.name} ({', '.join(backend.formats)})"
    return f"{named}: {backend.standing}" if backend.standing else named
