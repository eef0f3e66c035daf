import json
import subprocess
import sys
from importlib import import_module

import pytest
from click import Command, Context

from camelid import __version__
from camelid.cli.commands.create import command as create_command
from camelid.cli.commands.run import command as run_command
from camelid.cli.group import COMMANDS

HEAVY = ("httpx", "rich", "litestar", "msgspec", "prompt_toolkit", "numpy", "uvicorn", "pluggy", "asyncio")


def modules_after(*arguments: str) -> set[str]:
    """What a clean interpreter has imported after a command."""
    code = (
        "import json, sys\nfrom camelid.cli import main\n"
        f"sys.argv = ['camelid', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(run.stderr))


def test_help_imports_nothing_that_a_command_needs():
    assert modules_after("--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "plugins"])
def test_help_of_a_command_imports_no_http_and_no_terminal_library(name: str):
    assert modules_after(name, "--help").isdisjoint({"httpx", "rich", "litestar", "prompt_toolkit", "numpy", "uvicorn"})


@pytest.mark.parametrize(("name", "entry"), COMMANDS.items())
def test_the_table_says_what_the_command_says(name: str, entry):
    command = import_module(f"camelid.cli.commands.{entry.module}").command
    assert isinstance(command, Command)
    assert entry.summary == (command.help or "").split("\n")[0]
    assert entry.hidden or name == command.name


def test_without_arguments_the_help_is_shown(camelid):
    run = camelid()
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("Usage: camelid [OPTIONS] COMMAND [ARGS]...\n")
    assert run.stdout == camelid("--help").stdout


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version_without_a_server_is_the_commands_own(camelid, flag: str):
    assert camelid(flag) == (
        0,
        f"camelid version is {__version__}\n",
        "Warning: could not connect to a running Camelid server\n",
    )


@pytest.mark.parametrize(
    ("answers", "version", "warning"),
    [
        ({"/api/health": f'{{"version":"{__version__}"}}'.encode()}, __version__, ""),
        ({"/api/health": b'{"version":"99.1"}'}, "99.1", f"Warning: client version is {__version__}\n"),
        ({"/api/version": b'{"version":"0.33.0"}'}, __version__, "Warning: the server at {url} is not Camelid\n"),
    ],
)
def test_version_is_the_servers(camelid, scripted, answers: dict[str, bytes], version: str, warning: str):
    server = scripted(answers)
    run = camelid("--version", OLLAMA_HOST=server.url)
    assert run == (0, f"camelid version is {version}\n", warning.format(url=server.url))


def test_commands_stand_in_the_order_of_ollamas_help(camelid):
    lines = camelid("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    named = [line.split()[0] for line in lines]
    assert named[:11] == ["serve", "create", "show", "run", "stop", "pull", "push", "list", "ps", "cp", "rm"]


def test_help_is_a_command_too(camelid):
    assert camelid("help").stdout == camelid("--help").stdout
    assert camelid("help", "run").stdout == camelid("run", "--help").stdout
    assert camelid("help", "dance").returncode == 1


@pytest.mark.parametrize("name", ["signin", "login", "signout", "logout"])
def test_there_are_no_accounts(camelid, name: str):
    run = camelid(name)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: there are no accounts: ")


def test_launch_says_what_to_do_instead(camelid):
    run = camelid("launch", "codex", "--model", "x", "-y", OLLAMA_HOST=":4321")
    assert run.returncode == 1
    assert "give them http://127.0.0.1:4321 as the address" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (("--verbose=true", "--nowordwrap=1"), ("--verbose", "--nowordwrap")),
        (("--verbose=false", "--think"), ("--think=true",)),
        (("--truncate=false", "--insecure=F"), ("--no-truncate",)),
        (("--truncate", "--", "--think", "--verbose=no"), ("--truncate", "--", "--think", "--verbose=no")),
    ],
)
def test_flags_are_read_as_go_reads_them(arguments: tuple[str, ...], same: tuple[str, ...]):
    context = Context(run_command)
    parsed, expected = (
        run_command.make_context("run", ["model", *given], parent=context).params for given in (arguments, same)
    )
    assert parsed == expected


def test_think_never_takes_the_next_word():
    parameters = run_command.make_context("run", ["--think", "model", "high"]).params
    assert (parameters["think"], parameters["model"], parameters["prompt"]) == ("true", "model", ("high",))


@pytest.mark.parametrize("arguments", [("-f=M", "-q=q8_0"), ("-fM", "-qq8_0"), ("-f", "M", "--quantize=q8_0")])
def test_short_flags_take_values_as_go_gives_them(arguments: tuple[str, ...]):
    parameters = create_command.make_context("create", ["model", *arguments]).params
    assert (parameters["file"], parameters["quantize"]) == ("M", "q8_0")


def test_a_switch_takes_no_other_value(camelid):
    run = camelid("run", "x", "--verbose=perhaps")
    assert run.returncode == 1
    assert "--verbose" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("dance",), "Error: No such command 'dance'."),
        (("cp", "a"), "Error: Missing argument 'DESTINATION'."),
        (("run", "x", "--think=hard"), 'Error: invalid value for --think: "hard"'),
        (("run", "x", "--keepalive", "300"), 'Error: invalid value for --keepalive: "300"'),
        (("show", "x", "--license", "--system"), "Error: only one of '--license', '--modelfile'"),
        (("create", "x", "-f", "nowhere"), "Error: specified Modelfile wasn't found"),
    ],
)
def test_mistakes_are_one_error_line_and_exit_1(camelid, arguments: tuple[str, ...], text: str):
    run = camelid(*arguments)
    assert (run.returncode, run.stdout) == (1, "")
    assert text in run.stderr


@pytest.mark.parametrize("arguments", [("list",), ("ps",), ("show", "x"), ("pull", "x"), ("rm", "x"), ("stop", "x")])
def test_without_a_server_commands_say_what_to_do(camelid, arguments: tuple[str, ...]):
    run = camelid(*arguments)
    assert (run.returncode, run.stdout, run.stderr) == (
        1,
        "",
        "Error: could not connect to a camelid server at http://127.0.0.1:1, run 'camelid serve' to start it\n",
    )


def test_a_wrong_setting_ends_every_command(camelid):
    run = camelid("list", CAMELID_HOSTT="x")
    assert run.returncode == 1
    assert run.stderr == "Error: the variable CAMELID_HOSTT is no setting of Camelid; did you mean CAMELID_HOST?\n"


def test_a_reader_that_leaves_early_is_no_traceback():
    line = f"{sys.executable} -m camelid --help | true"
    run = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in run.stderr
