"""Jinja as Hugging Face's chat templates expect it, in a sandbox that also bounds time and memory.

Jinja's own sandbox keeps templates away from Python's insides but lets them loop and write without end. Here the
syntax tree is changed before it is compiled, so that every loop turn, comparison and concatenation passes through a
filter that reports to the render's budget; calls, operators and captured blocks are reported by the environment.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, NoReturn, TypeAlias

from jinja2 import Template, nodes, pass_context
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from camelid.prompts.budget import MAX_SOURCE, current_budget
from camelid.prompts.jinja_guards import FILTERS, FORBIDDEN_METHODS, OPERATORS, TESTS, guard_call, guard_result

__all__ = ("RefusedConversationError", "compile_template")

_MAX_NESTED_LOOPS: Final = 20
"""Python compiles no more; Jinja takes ever longer to find that out."""

_STEP, _WEIGHED, _WRITTEN, _MADE = "camelid_step", "camelid_weighed", "camelid_written", "camelid_made"


class RefusedConversationError(TemplateError):
    """A template called `raise_exception`: it does not like the conversation. Never leaves this package."""


class _GenerationBlock(Extension):
    """`{% generation %}`: marks for training what the assistant said; for a prompt its content is all that counts."""

    tags: set[str] = {"generation"}  # noqa: RUF012 - Jinja's own declaration is an instance attribute

    def parse(self, parser: Parser) -> nodes.Node:
        """The block's content, in a scope of its own."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class _Accounting(NodeTransformer):
    """Puts the filters that report to the budget where templates loop, compare, look up and concatenate."""

    def __init__(self) -> None:
        self._loops = 0

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's naming
        self._loops += 1
        if self._loops > _MAX_NESTED_LOOPS:
            raise TemplateError(f"more than {_MAX_NESTED_LOOPS} loops in one another")
        self.generic_visit(node)
        self._loops -= 1
        node.body.insert(0, nodes.ExprStmt(_step(node.lineno), lineno=node.lineno))
        if node.test is not None:
            node.test = nodes.And(_step(node.lineno), node.test, lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = _reported(node.expr, _WEIGHED)
        for operand in node.ops:
            operand.expr = _reported(operand.expr, _WEIGHED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Concat:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [_reported(operand, _WRITTEN) for operand in node.nodes]
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802
        self.generic_visit(node)
        node.key = _reported(node.key, _WEIGHED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            return _reported(node, _MADE)
        node.arg = _reported(node.arg, _WEIGHED)
        return node


def _step(line: int) -> nodes.Expr:
    return nodes.Filter(nodes.Const(True, lineno=line), _STEP, [], [], None, None, lineno=line)


def _reported(node: nodes.Expr, name: str) -> nodes.Expr:
    if isinstance(node, nodes.Const):
        return node
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


_Value: TypeAlias = object


@pass_context
def _count_step(_: Context, value: _Value) -> _Value:
    current_budget().step()
    return value


@pass_context
def _check_weight(_: Context, value: _Value) -> _Value:
    budget = current_budget()
    budget.step()
    budget.check_weight(value)
    return value


@pass_context
def _spend_written(_: Context, value: _Value) -> _Value:
    budget = current_budget()
    budget.step()
    budget.spend_written(value)
    return value


@pass_context
def _spend_made(_: Context, value: _Value) -> _Value:
    current_budget().step()
    return guard_result(value)


def _concat(pieces: Iterable[str]) -> str:
    """Joins what macros and `{% set %}` blocks captured."""
    captured = list(pieces)
    current_budget().spend(sum(map(len, captured)))
    return "".join(captured)


def _raise_exception(message: object) -> NoReturn:
    raise RefusedConversationError(str(message))


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _dict(pairs: Mapping[object, object] | None = None, /, **named: object) -> dict[object, object]:
    """`dict` from keywords or another dict; from other iterables it could be made to take for ever."""
    merged = dict(pairs or {})
    merged.update(named)
    return merged


class _Namespace(Namespace):
    """Jinja's `namespace`, but printing one does not print all it holds."""

    def __repr__(self) -> str:
        return "<Namespace>"


class _ChatEnvironment(ImmutableSandboxedEnvironment):
    """One for all templates: it holds no state of a render."""

    intercepted_binops = frozenset(OPERATORS)
    concat = staticmethod(_concat)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", _GenerationBlock],
            finalize=_spend_written,
            cache_size=0,
        )
        del self.globals["lipsum"]
        self.globals |= {
            "dict": _dict,
            "namespace": _Namespace,
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
        }
        self.tests = dict(TESTS)
        self.filters = {
            **FILTERS,
            _STEP: _count_step,
            _WEIGHED: _check_weight,
            _WRITTEN: _spend_written,
            _MADE: _spend_made,
        }

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:  # noqa: ARG002
        """`left operator right`, paid for."""
        current_budget().step()
        return OPERATORS[operator](left, right)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Whether a template may see an attribute."""
        return attr not in FORBIDDEN_METHODS and super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Callable[..., object], /, *args: object, **kwargs: object) -> object:
        """Call a function, method or macro, paid for."""
        current_budget().step()
        guarded = guard_call(obj, args, kwargs)
        return guard_result(super().call(context, obj, *guarded, **kwargs))


_environment = _ChatEnvironment()


def compile_template(source: str) -> Template:
    """A template that renders only inside `render_budget()`.

    Raises:
        Exception: whatever Jinja and Python's compiler find wrong with the source.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"the template is longer than {MAX_SOURCE:,} characters")
    tree = _Accounting().visit(_environment.parse(source))
    code = _environment.compile(tree, name="chat_template", filename="<chat template>")
    return Template.from_code(_environment, code, _environment.make_globals(None))
