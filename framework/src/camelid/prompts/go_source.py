"""Reading the source of Go templates: what it names, and variants of it (contract 12.1, 12.2, 12.5)."""

from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
from typing import Final, TypeAlias

from gotpl.parse.nodes import (
    ActionNode,
    CommandNode,
    FieldNode,
    IfNode,
    ListNode,
    ParenthesizedNode,
    ParsedTemplate,
    RangeNode,
    StringNode,
    TemplateCallNode,
    TextNode,
    VariableNode,
    WithNode,
)
from gotpl.parse.parser import parse_template

__all__ = ("NOTHING", "STEP", "TEXT", "GoSource")

STEP: Final = "camelidStep"
"""Function that passes a value on and reports to the budget."""
TEXT: Final = "camelidText"
"""The same for a value that is printed."""
NOTHING: Final = "camelidNothing"
"""The same for no value."""

_Path: TypeAlias = tuple[object, ...]


class GoSource:
    """A parsed template."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        """Parse.

        Args:
            text: the template; `{{ .Response }}` is added where it mentions neither that nor `.Messages`.
            functions: names it may call beside Go's own.

        Raises:
            TemplateSyntaxError: gotpl's, with Go's words.
        """
        self._functions = functions
        self._parsed = parse_template(text, functions=functions)
        if not self.identifiers & {"messages", "response"}:
            text += "{{ .Response }}"
            self._parsed = parse_template(text, functions=functions)
        self.text = text

    @property
    def identifiers(self) -> frozenset[str]:
        """Every field that is named anywhere, in lower case."""
        return frozenset(name.lower() for node, _ in _walk(self._parsed) for name in _names(node))

    @property
    def strings(self) -> frozenset[str]:
        """Every quoted constant."""
        return frozenset(node.value for node, _ in _walk(self._parsed) if isinstance(node, StringNode))

    @property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The texts around what prints `.Thinking` in a range over `.Messages`."""
        for node, path in _walk(self._parsed):
            if isinstance(node, ActionNode) and _mentions(node, "Thinking") and _ranges_over_messages(path):
                block = next(parent for parent in reversed(path) if isinstance(parent, ListNode))
                first, last = block.nodes[0], block.nodes[-1]
                opening = first.text.strip() if isinstance(first, TextNode) else ""
                closing = last.text.strip() if isinstance(last, TextNode) else ""
                if opening and closing:
                    return opening, closing
        return None

    @property
    def tool_call_tag(self) -> str:
        """The first text in the block that depends on `.ToolCalls`, up to a brace; `{` if there is none."""
        for block, _ in _walk(self._parsed):
            if isinstance(block, (IfNode, RangeNode, WithNode)) and _mentions(block.pipeline, "ToolCalls"):
                texts = (node.text.strip() for node, _ in _walk(block) if isinstance(node, TextNode))
                return next(filter(None, texts), "").partition("{")[0].strip() or "{"
        return "{"

    def until_response(self) -> "GoSource":
        """This template without what comes after the place where the answer stands."""
        for node, path in _walk(self._parsed.root):
            if isinstance(node, ActionNode) and _mentions(node, "Response"):
                source = self.text.encode()
                open_blocks = sum(isinstance(parent, (IfNode, RangeNode, WithNode)) for parent in path)
                later = (
                    source[block.start : block.end] for block in self._parsed.definitions if block.start > node.end
                )
                cut = source[: node.end] + b"{{ end }}" * open_blocks + b"".join(later)
                return GoSource(cut.decode(), self._functions)
        return self

    def accounted(self) -> str:
        """The source with a call after every command, so that the template reports what it does and prints."""
        source = self.text.encode()
        insertions: list[tuple[int, str]] = []
        for node, path in _walk(self._parsed):
            if isinstance(node, CommandNode):
                insertions.append((node.end, f" | {TEXT if _is_printed(node, path) else STEP}"))
            elif isinstance(node, TemplateCallNode) and node.pipeline is None:
                insertions.append((_end_inside(source, node.end), f" {NOTHING} "))
        pieces: list[bytes] = []
        end = 0
        for position, call in sorted(insertions):
            pieces += (source[end:position], call.encode())
            end = position
        return b"".join((*pieces, source[end:])).decode()


def _walk(node: object, path: _Path = ()) -> Iterator[tuple[object, _Path]]:
    """Every node in the order of the source, with the nodes it stands in, outermost first."""
    if isinstance(node, tuple):
        for item in node:
            yield from _walk(item, path)
    elif is_dataclass(node):
        if not isinstance(node, ParsedTemplate):
            yield node, path
        for field in fields(node):
            yield from _walk(getattr(node, field.name), (*path, node))


def _names(node: object) -> tuple[str, ...]:
    return node.fields if isinstance(node, (FieldNode, VariableNode, ParenthesizedNode)) else ()


def _mentions(node: object, name: str) -> bool:
    return any(name in _names(part) for part, _ in _walk(node))


def _ranges_over_messages(path: _Path) -> bool:
    innermost = next((parent for parent in reversed(path) if isinstance(parent, RangeNode)), None)
    return innermost is not None and _mentions(innermost.pipeline, "Messages")


def _is_printed(command: CommandNode, path: _Path) -> bool:
    """Whether the value of a command is printed: it is the last of an action that declares nothing."""
    action = path[-2] if len(path) > 1 else None
    return (
        isinstance(action, ActionNode) and not action.pipeline.declarations and action.pipeline.commands[-1] is command
    )


def _end_inside(source: bytes, end: int) -> int:
    """The place before the closing delimiter of an action, and before its trim marker."""
    inside = source[: end - len("}}")]
    return len(inside) - 1 if inside[-2:] in {b" -", b"\n-", b"\t-", b"\r-"} else len(inside)
