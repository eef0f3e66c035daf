"""The command line: one file a command under `commands/`, and what they share."""

import os
import sys

__all__ = ("main",)


def main() -> None:
    """Run the `camelid` command with the arguments of this process, and end the process.

    Errors print `Error: …` on stderr and exit with 1 (contract 19); Ctrl+C exits with 130.
    """
    import click

    from camelid.cli.group import camelid
    from camelid.errors import CamelidError

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # A code page that lacks a character must not end a command in the middle of an answer.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = camelid.main(prog_name="camelid", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = 1
    except CamelidError as error:
        click.echo(f"Error: {error.message}", err=True)
        code = 1
    except BrokenPipeError:
        # The reader of our output is gone, as in `camelid list | head -1`; nothing is left to be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
