"""Collecting what one plugin registers, and refusing what is not as the contracts say."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import msgspec

from camelid.contracts.answers.format import AnswerFormat, ThinkingTags
from camelid.contracts.placement import Placement
from camelid.contracts.registry import Registry
from camelid.contracts.route import Route
from camelid.plugins.plugin import Plugin
from camelid.types.artifact import FileRole
from camelid.types.capabilities import Capability
from camelid.types.conversion import ConverterDescriptor
from camelid.types.descriptor import BackendDescriptor

if TYPE_CHECKING:
    import click

__all__ = ("Process", "Registrations", "register_all")

Process: TypeAlias = Literal["server", "worker", "cli"]
"""In which process plugins are loaded: it decides which of their hooks are called."""

Item = TypeVar("Item", BackendDescriptor, ConverterDescriptor, Registry, Placement, AnswerFormat, Route)

_ENDING: Final = re.compile(r"\.[^/\sA-Z]+")
_PATH: Final = re.compile(r"(/[^/{}*?#]+)+(/\*)?")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Registrations(msgspec.Struct):
    """Everything registered so far, each with the plugin that did it."""

    backends: list[tuple[BackendDescriptor, Plugin]] = []
    converters: list[tuple[ConverterDescriptor, Plugin]] = []
    registries: list[tuple[Registry, Plugin]] = []
    placements: list[tuple[Placement, Plugin]] = []
    answer_formats: list[tuple[AnswerFormat, Plugin]] = []
    routes: list[tuple[Route, Plugin]] = []
    commands: "list[tuple[click.Command, Plugin]]" = []

    def add(self, found: "Registrations") -> None:
        """Take in everything that was found."""
        for kind in self.__struct_fields__:
            getattr(self, kind).extend(getattr(found, kind))

    def forget(self, plugin: Plugin) -> None:
        """Take out everything that a plugin registered."""
        for kind in self.__struct_fields__:
            items: list[tuple[object, Plugin]] = getattr(self, kind)
            items[:] = [(item, owner) for item, owner in items if owner is not plugin]


def register_all(
    plugin: Plugin, registrations: Registrations, *, process: Process, reserved_commands: Collection[str] = ()
) -> None:
    """Ask a plugin for what it has and add it all, or nothing if any of it is wrong.

    Args:
        plugin: whose hooks are called.
        registrations: where all that is added.
        process: this one. In a worker only backends and converters are asked for; commands only in a command.
        reserved_commands: names that no command of a plugin may have.

    Raises:
        HookError: a hook failed, or registered something that its contract does not allow.
        CamelidError: what the plugin raised itself.
    """
    found, known = Registrations(), registrations
    found.backends = _collect(plugin, "camelid_backends", BackendDescriptor, known.backends, _descriptor_problem)
    found.converters = _collect(plugin, "camelid_converters", ConverterDescriptor, known.converters, _converter_problem)
    if process != "worker":
        # The classes are abstract and only passed to isinstance; mypy has no type that says so.
        found.registries = _collect(plugin, "camelid_registries", Registry, known.registries, _name_problem)  # type: ignore[type-abstract]
        found.placements = _collect(plugin, "camelid_placements", Placement, known.placements, _name_problem)  # type: ignore[type-abstract]
        found.answer_formats = _collect(
            plugin, "camelid_answer_formats", AnswerFormat, known.answer_formats, _answer_format_problem
        )
        # Two plugins may have one path: it is taken when the setting `routes` names one of them.
        found.routes = _collect(plugin, "camelid_routes", Route, (), _route_problem)
    if process == "cli":
        found.commands = _commands(plugin, known, reserved_commands)
    registrations.add(found)


def _collect(
    plugin: Plugin,
    hook: str,
    kind: type[Item],
    known: Iterable[tuple[Item, Plugin]],
    problem: Callable[[Item], str],
) -> list[tuple[Item, Plugin]]:
    """What the plugin hands to `register` in one hook."""
    found: dict[str, Item] = {}
    owners = {item.name: owner.package for item, owner in known}

    def register(item: Item) -> None:
        if not isinstance(item, kind):
            raise plugin.fault(hook, f"registered {item!r}, which is no {kind.__name__}")
        wrong = problem(item)
        if wrong:
            raise plugin.fault(hook, f"registered a {kind.__name__} {wrong}")
        if item.name in owners or item.name in found:
            owner = owners.get(item.name, plugin.package)
            raise plugin.fault(
                hook, f"registered the name {item.name!r}, which {owner} has already; remove or disable one of them"
            )
        found[item.name] = item

    plugin.call(hook, register=register)
    return [(item, plugin) for item in found.values()]


def _commands(
    plugin: Plugin, registrations: Registrations, reserved: Collection[str]
) -> "list[tuple[click.Command, Plugin]]":
    """The commands that the plugin puts into a group of its own."""
    hook = "camelid_commands"
    if hook not in plugin.hooks:
        return []
    import click  # noqa: PLC0415 - only commands need it

    group = click.Group()
    plugin.call(hook, cli=group)
    owners = {str(command.name): owner.package for command, owner in registrations.commands}
    for name, command in group.commands.items():
        command.name = name
        owner = "Camelid itself" if name in reserved else owners.get(name)
        if owner:
            raise plugin.fault(hook, f"added the command {name!r}, which {owner} has already")
    return [(command, plugin) for command in group.commands.values()]


def _name_problem(
    item: Registry | Placement | BackendDescriptor | ConverterDescriptor | AnswerFormat | Route,
) -> str:
    name: object = item.name
    return "" if isinstance(name, str) and name else f"whose name is {name!r}"


def _descriptor_problem(descriptor: BackendDescriptor) -> str:
    """What is wrong with a descriptor: Structs do not check what they are made of."""
    capabilities: object = descriptor.capabilities
    options: object = descriptor.options
    names: dict[str, object] = {"formats": descriptor.formats, "sees_within": descriptor.sees_within}
    for field, value in names.items():
        if not isinstance(value, frozenset) or not all(isinstance(item, str) for item in value):
            return f"whose {field} are {value!r}, not a frozenset of strings"
    if not isinstance(capabilities, frozenset) or not all(isinstance(item, Capability) for item in capabilities):
        return f"whose capabilities are {capabilities!r}, not a frozenset of Capability"
    wrong = _endings_problem(descriptor)
    if wrong:
        return wrong
    if options is not None and not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
        return f"whose options are {options!r}, not a Struct class"
    return _name_problem(descriptor)


def _endings_problem(descriptor: BackendDescriptor) -> str:
    endings: object = descriptor.endings
    if not isinstance(endings, Mapping):
        return f"whose endings are {endings!r}, not formats by the ending of a file's name"
    for ending, known in endings.items():
        if not isinstance(ending, str) or not _ENDING.fullmatch(ending):
            return f"whose endings have {ending!r}, not an ending in small letters like '.rwkv'"
        if known not in descriptor.formats:
            return f"whose endings name {known!r}, which is none of its formats"
    return ""


def _converter_problem(descriptor: ConverterDescriptor) -> str:
    roles: object = descriptor.roles
    quantizations: object = descriptor.quantizations
    if not isinstance(roles, frozenset) or not roles or not all(isinstance(role, FileRole) for role in roles):
        return f"whose roles are {roles!r}, not a frozenset of FileRole"
    if not isinstance(quantizations, tuple) or not all(isinstance(item, str) for item in quantizations):
        return f"whose quantizations are {quantizations!r}, not a tuple of strings"
    return _name_problem(descriptor)


def _answer_format_problem(known: AnswerFormat) -> str:
    tuples: dict[str, object] = {"aliases": known.aliases, "markers": known.markers}
    capabilities: object = known.capabilities
    thinking: object = known.thinking
    for field, texts in tuples.items():
        if not isinstance(texts, tuple) or not all(isinstance(text, str) and text for text in texts):
            return f"whose {field} are {texts!r}, not a tuple of strings"
    if not isinstance(capabilities, frozenset) or not capabilities <= set(Capability):
        return f"whose capabilities are {capabilities!r}, not a frozenset of Capability"
    if thinking is not None and not (isinstance(thinking, ThinkingTags) and thinking.open and thinking.close):
        return f"whose thinking is {thinking!r}, not ThinkingTags with two texts"
    if not all(build is None or callable(build) for build in (known.calls, known.whole)):
        return "whose calls or whole cannot be called"
    if known.whole is not None and (known.calls is not None or known.thinking is not None):
        return "that has whole and also calls or thinking; whole reads everything"
    return _name_problem(known)


def _route_problem(route: Route) -> str:
    path: object = route.path
    methods: object = route.methods
    handler: object = route.handler
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        return f"whose path is {path!r}; it begins with a slash and ends with none, and only its end may be /*"
    if not isinstance(methods, frozenset) or not methods or not methods <= _METHODS:
        return f"whose methods are {methods!r}, not a frozenset of {', '.join(sorted(_METHODS))}"
    return "" if callable(handler) else f"whose handler is {handler!r}, which cannot be called"
