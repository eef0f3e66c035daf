"""Routes and commands: what is taken, and what breaks a plugin."""

import pytest

from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus
from camelid.plugins.report import provides

ROUTE = """
from camelid import HttpResponse, Route

def answer(request): return HttpResponse(b"x")

@hookimpl
def camelid_routes(register):
    register(Route({arguments}))
"""
COMMAND = """
@hookimpl
def camelid_commands(cli):
    import click

    @cli.command()
    def {name}():
        click.echo("done")
"""


def test_routes_and_commands_are_registered_and_shown(install):
    install("tools", ROUTE.format(arguments='"/tools/*", answer') + COMMAND.format(name="hammer"))
    host = PluginHost.load(only={"tools"}, process="cli")
    (record,) = [record for record in host.records if record.name == "tools"]
    assert (record.status, record.routes, record.commands) == (PluginStatus.LOADED, ("/tools/*",), ("hammer",))
    assert provides(record) == "command hammer, route /tools/* (if the setting routes names tools)"
    (route,) = host.catalog.routes
    assert (route.plugin, route.distribution, route.route.methods) == ("tools", "dist-tools", frozenset({"GET"}))
    assert host.commands["hammer"][1].package == "dist-tools"


@pytest.mark.parametrize(("process", "routes"), [("server", 1), ("worker", 0)])
def test_commands_are_for_commands_and_routes_not_for_workers(install, process, routes):
    install("tools", ROUTE.format(arguments='"/tools", answer') + COMMAND.format(name="hammer"))
    host = PluginHost.load(only={"tools"}, process=process)
    assert (len(host.catalog.routes), dict(host.commands)) == (routes, {})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (ROUTE.format(arguments='"tools", answer'), "whose path is 'tools'"),
        (ROUTE.format(arguments='"/", answer'), "whose path is '/'"),
        (ROUTE.format(arguments='"/*", answer'), "whose path is '/*'"),
        (ROUTE.format(arguments='"/a//b", answer'), "whose path is '/a//b'"),
        (ROUTE.format(arguments='"/a/{b:path}", answer'), "whose path is '/a/{b:path}'"),
        (ROUTE.format(arguments='"/a", answer, frozenset({"BREW"})'), "whose methods are frozenset({'BREW'})"),
        (ROUTE.format(arguments='"/a", answer, {"GET"}'), "whose methods are {'GET'}, not a frozenset"),
        (ROUTE.format(arguments='"/a", 3'), "whose handler is 3, which cannot be called"),
        ("@hookimpl\ndef camelid_routes(register): register('/a')", "registered '/a', which is no Route"),
        (COMMAND.format(name="serve"), "added the command 'serve', which Camelid itself has already"),
        (COMMAND.format(name="first"), "added the command 'first', which dist-a-first has already"),
        ("@hookimpl\ndef camelid_commands(cli): raise ValueError('x')", "camelid_commands raised ValueError in"),
    ],
)
def test_what_cannot_be_breaks_the_plugin(install, source, reason):
    install("a-first", COMMAND.format(name="first"))
    install("tools", source)
    host = PluginHost.load(only={"a-first", "tools"}, process="cli", reserved_commands=("serve",))
    (record,) = [record for record in host.records if record.name == "tools"]
    assert record.status is PluginStatus.BROKEN
    assert record.reason.startswith("dist-tools: ")
    assert reason in record.reason
    assert (host.catalog.routes, list(host.commands)) == ((), ["first"])
