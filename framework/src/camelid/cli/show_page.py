"""The page that `camelid show` prints (contract 19.4)."""

from collections.abc import Sequence

from camelid.cli.messages import ShownModel
from camelid.cli.sizes import human_count
from camelid.cli.tables import columns
from camelid.types.json import JsonObject, JsonValue

__all__ = ("show_page",)

Rows = list[tuple[str, ...]]

_LIST_ITEMS = 3
_TEXT_LINES = 2


def show_page(model: ShownModel, *, verbose: bool = False) -> str:
    """Sections of a heading indented by two, rows indented by four, and a blank line."""
    sections: list[tuple[str, Rows]] = [
        ("Model", _model_rows(model)),
        ("Backend", _backend_rows(model)),
        ("Capabilities", [(capability,) for capability in model.capabilities]),
        ("Projector", _projector_rows(model.projector_info)),
        ("Parameters", [_name_and_value(line) for line in model.parameters.splitlines() if line.strip()]),
    ]
    if verbose:
        sections += [
            ("Metadata", [(key, _abbreviated(value)) for key, value in sorted(model.model_info.items())]),
            ("Tensors", [(tensor.name, tensor.type, _abbreviated(list(tensor.shape))) for tensor in model.tensors]),
        ]
    sections += [("System", _first_lines(model.system)), ("License", _first_lines(model.license))]
    return "".join(_section(heading, rows) for heading, rows in sections if rows)


def _section(heading: str, rows: Sequence[Sequence[str]]) -> str:
    return f"  {heading}\n{columns(rows, indent='    ')}\n"


def _model_rows(model: ShownModel) -> Rows:
    info = model.model_info
    architecture = _text(info.get("general.architecture")) or model.details.family
    rows = [
        ("Remote model", model.remote_model),
        ("Remote URL", model.remote_host),
        ("architecture", architecture),
        ("parameters", model.details.parameter_size or _count(info.get("general.parameter_count"))),
        ("context length", _text(info.get(f"{architecture}.context_length"))),
        ("embedding length", _text(info.get(f"{architecture}.embedding_length"))),
        ("quantization", model.details.quantization_level),
        ("requires", model.requires),
    ]
    return [(name, value) for name, value in rows if value]


def _backend_rows(model: ShownModel) -> Rows:
    proven = str(model.backend_standing or "")
    rows = [("name", model.backend), ("because", model.backend_reason), ("proven", proven)]
    return [(name, value) for name, value in rows if value]


def _projector_rows(info: JsonObject) -> Rows:
    architecture = _text(info.get("general.architecture"))
    kind = "vision" if f"{architecture}.vision.embedding_length" in info else "audio"
    rows = [
        ("architecture", architecture),
        ("parameters", _count(info.get("general.parameter_count"))),
        ("embedding length", _text(info.get(f"{architecture}.{kind}.embedding_length"))),
        ("dimensions", _text(info.get(f"{architecture}.{kind}.projection_dim"))),
    ]
    return [(name, value) for name, value in rows if value]


def _name_and_value(line: str) -> tuple[str, ...]:
    name, _, value = line.strip().partition(" ")
    return name, value.strip()


def _first_lines(text: str) -> Rows:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line,) for line in (*lines[:_TEXT_LINES], *(["..."] if len(lines) > _TEXT_LINES else []))]


def _count(value: JsonValue) -> str:
    return human_count(value) if isinstance(value, int) else ""


def _text(value: JsonValue) -> str:
    return str(value) if isinstance(value, (str, int, float)) else ""


def _abbreviated(value: JsonValue) -> str:
    """A value on one line, long lists cut: `[a b c ...+29 more]`."""
    if isinstance(value, list):
        shown = " ".join(_abbreviated(item) for item in value[:_LIST_ITEMS])
        more = len(value) - _LIST_ITEMS
        return f"[{shown} ...+{more} more]" if more > 0 else f"[{shown}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
