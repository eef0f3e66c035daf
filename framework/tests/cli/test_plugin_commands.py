"""Commands of plugins: found when they are called, and to blame for what they do wrong."""

import pytest

SOURCE = """
import click

@hookimpl
def camelid_commands(cli):
    @cli.group()
    def tools():
        "Tools of a plugin."

    @tools.command()
    @click.argument("name")
    def greet(name):
        "Greet somebody."
        if name == "nobody":
            raise ValueError("there is nobody")
        if name == "wrong":
            raise click.UsageError("that is wrong")
        click.echo(f"hello {name}")
"""


def test_a_plugin_adds_commands(install, camelid):
    install("tools", SOURCE)
    assert camelid("tools", "greet", "you") == (0, "hello you\n", "")
    assert "Tools of a plugin." in camelid("help", "tools").stdout
    assert "Greet somebody." in camelid("tools", "greet", "--help").stdout
    row = next(line for line in camelid("plugins").stdout.splitlines() if line.startswith("tools "))
    assert row.endswith("command tools")


def test_its_failure_is_one_line_with_its_name(install, camelid):
    install("tools", SOURCE)
    run = camelid("tools", "greet", "nobody")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: dist-tools: the command tools raised ValueError in installed_dist_tools.py, ")
    assert run.stderr.endswith(": there is nobody\n")
    run = camelid("tools", "greet", "wrong")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (1, "Error: that is wrong")


def test_a_command_of_a_plugin_that_is_left_out_is_none(install, camelid):
    install("tools", SOURCE)
    run = camelid("tools", CAMELID_DISABLED_PLUGINS="tools")
    assert run.returncode == 1
    assert "No such command 'tools'" in run.stderr


def test_a_broken_plugin_breaks_no_command_and_is_named_where_one_is_missing(install, camelid):
    install("tools", "1 / 0")
    assert camelid("help").returncode == 0
    run = camelid("tools")
    assert run.returncode == 1
    assert "No such command 'tools'. Broken plugins: tools; `camelid plugins` says why." in run.stderr


@pytest.mark.parametrize("name", ["serve", "ls", "help"])
def test_camelids_own_commands_cannot_be_replaced(install, camelid, name):
    install("tools", f"@hookimpl\ndef camelid_commands(cli): cli.command('{name}')(lambda: print('mine'))")
    assert "mine" not in camelid(name, "--help").stdout
    row = next(line for line in camelid("plugins").stdout.splitlines() if line.startswith("tools "))
    assert f"added the command '{name}', which Camelid itself has already" in row
