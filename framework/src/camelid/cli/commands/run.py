"""`camelid run MODEL [PROMPT...]` (contract 19.5)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from camelid.cli.answer import Display, print_answer
from camelid.cli.attachments import attach
from camelid.cli.connection import connect_or_embed
from camelid.cli.go_flags import GoCommand
from camelid.cli.messages import GenerateBody, ShownModel
from camelid.cli.request_options import check_duration, parse_format, parse_think
from camelid.errors import ModelNotFoundError, RequestError
from camelid.types.json import JsonObject, JsonValue

if TYPE_CHECKING:
    from camelid.cli.client import Client

__all__ = ("command",)


@click.command("run", cls=GoCommand)
@click.argument("model")
@click.argument("prompt", nargs=-1)
@click.option("--keepalive", metavar="DURATION", help="How long the model stays loaded afterwards, for example 5m.")
@click.option("--verbose", is_flag=True, help="Print counts and timings after each answer.")
@click.option("--insecure", is_flag=True, help="Allow registries that speak plain http, if the model must be pulled.")
@click.option("--nowordwrap", is_flag=True, help="Do not break lines between words.")
@click.option("--format", "format_", metavar="json|SCHEMA", help="Make the answer JSON, or JSON of this schema.")
@click.option(
    "--think",
    is_flag=False,
    flag_value="true",
    metavar="[=true|false|high|medium|low|max]",
    help="Let the model think, or not, or how much.",
)
@click.option("--hidethinking", is_flag=True, help="Do not show what the model thinks.")
@click.option("--truncate/--no-truncate", default=None, help="Embedding models: cut text that is too long.")
@click.option("--backend", metavar="NAME", help="The backend that shall serve the model.")
@click.option("--dimensions", type=int, metavar="N", help="Embedding models: length of the vector.")
def command(
    model: str,
    prompt: tuple[str, ...],
    *,
    keepalive: str | None,
    verbose: bool,
    insecure: bool,
    nowordwrap: bool,
    format_: str | None,
    think: str | None,
    hidethinking: bool,
    truncate: bool | None,
    backend: str | None,
    dimensions: int | None,
) -> None:
    """Ask a model, or chat with it.

    With a PROMPT, or with text on stdin, the answer is printed and the command ends; otherwise a chat begins. A model
    that is not there yet is pulled. If no server runs on this machine, one is started for this command.
    """
    # As for Ollama, an empty value is none: scripts pass on variables that may be.
    keep_alive = check_duration(keepalive) if keepalive else None
    format_value = parse_format(format_) if format_ else None
    think_value = None if think is None else parse_think(think)
    options: JsonObject = {} if backend is None else {"backend": backend}
    display = Display(wordwrap=not nowordwrap, thinking=not hidethinking, verbose=verbose)
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    text = " ".join((*([piped] if piped else []), *prompt))
    interactive = not text and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    with connect_or_embed() as client:
        shown = _shown_or_pulled(client, model, insecure=insecure)
        if shown.can("embedding") and not shown.can("completion"):
            given = {
                "keep_alive": keep_alive,
                "truncate": truncate,
                "dimensions": dimensions,
                "options": options or None,
            }
            _embed(client, model, text, given)
        elif interactive:
            from camelid.cli.chat.loop import chat
            from camelid.cli.chat.session import ChatSession

            session = ChatSession(
                client,
                model,
                shown,
                display,
                format_=format_value,
                think=think_value,
                keep_alive=keep_alive,
                options=options,
            )
            chat(session)
        elif text:
            prompt_text, files = attach(text, shown)
            body = GenerateBody(model, prompt_text, files, format_value, think_value, keep_alive, options)
            _ask(client, body, display)
        else:
            client.load(model, keep_alive=keep_alive, options=options)


def _shown_or_pulled(client: Client, model: str, *, insecure: bool) -> ShownModel:
    """What is known of the model, after fetching it if it is missing."""
    try:
        return client.show(model)
    except ModelNotFoundError:
        from camelid.cli.progress import show_progress

        show_progress(client.pull(model, insecure=insecure))
        return client.show(model)


def _ask(client: Client, body: GenerateBody, display: Display) -> None:
    answer = print_answer(client.generate(body), display)
    if answer.last is None:
        raise KeyboardInterrupt


def _embed(client: Client, model: str, text: str, given: Mapping[str, JsonValue]) -> None:
    """Print the vector of the text as a JSON array; of what is given, None is left out."""
    if not text:
        raise RequestError(
            f'embedding models require input text. Usage: camelid run {model} "your text here"',
        )
    body: JsonObject = {"model": model, "input": text}
    body |= {name: value for name, value in given.items() if value is not None}
    vectors = client.embed(body)
    click.echo(json.dumps(vectors[0], separators=(",", ":")))
