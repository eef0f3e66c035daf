"""Editing one message at the terminal."""

from pathlib import Path
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.shortcuts import CompleteStyle

from camelid.cli.chat.history import LineHistory
from camelid.cli.chat.quoting import is_open
from camelid.cli.chat.slash import completions

__all__ = ("PROMPT", "MessageReader")

PROMPT: Final = ">>> "


class MessageReader:
    """Reads messages with a prompt, a history and the usual keys."""

    def __init__(
        self, history: Path | None, *, terminal_input: Input | None = None, terminal_output: Output | None = None
    ) -> None:
        """Keep the history in a file, or only in memory; use the terminal unless told otherwise."""
        self._history = None if history is None else LineHistory(history)
        self._prompt: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation="... ",
            placeholder=FormattedText([("ansibrightblack", "Send a message (/? for help)")]),
            history=self._history or InMemoryHistory(),
            key_bindings=_keys(),
            completer=WordCompleter(completions(), sentence=True),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,  # a menu would keep eight lines free below the prompt
            enable_open_in_editor=True,
            input=terminal_input,
            output=terminal_output,
        )

    def read(self) -> str:
        """The next message, as it was typed.

        Raises:
            KeyboardInterrupt: Ctrl+C on an empty line.
            EOFError: Ctrl+D on an empty line.
        """
        return self._prompt.prompt()

    def keep_history(self, keep: bool) -> None:
        """Write what is typed from now on to the history's file, or do not."""
        if self._history is not None:
            self._history.writes = keep


def _keys() -> KeyBindings:
    """Enter sends, unless triple quotes are open; Ctrl+C clears the line first; Ctrl+G opens an editor."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_open(buffer.text):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    @keys.add("c-g")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.open_in_editor()

    return keys
