"""The help texts of a chat."""

from typing import Final

__all__ = ("HELP_TOPICS",)

_COMMANDS: Final = '''\
Available Commands:
  /set            Set session variables
  /show           Show model information
  /load <model>   Load a session or model
  /save <model>   Save your current session
  /clear          Clear session context
  /list           List the models on this disk
  /bye            Exit
  /?, /help       Help for a command
  /? shortcuts    Help for keyboard shortcuts

Use """ to begin and end a message of several lines.

'''

_SET: Final = """\
Available Commands:
  /set parameter ...     Set a parameter
  /set system <string>   Set system message
  /set history           Enable history
  /set nohistory         Disable history
  /set wordwrap          Enable wordwrap
  /set nowordwrap        Disable wordwrap
  /set format json       Enable JSON mode
  /set noformat          Disable formatting
  /set verbose           Show timings
  /set quiet             Do not show timings
  /set think [level]     Enable thinking
  /set nothink           Disable thinking

"""

_SHOW: Final = """\
Available Commands:
  /show info         Show details for this model
  /show license      Show model license
  /show modelfile    Show Modelfile for this model
  /show parameters   Show parameters for this model
  /show system       Show system message
  /show template     Show prompt template

"""

_SHORTCUTS: Final = """\
Available keyboard shortcuts:
  Ctrl + a            Move to the beginning of the line (Home)
  Ctrl + e            Move to the end of the line (End)
   Alt + b            Move back (left) one word
   Alt + f            Move forward (right) one word
  Ctrl + k            Delete the text after the cursor
  Ctrl + u            Delete the text before the cursor
  Ctrl + w            Delete the word before the cursor
  Ctrl + l            Clear the screen
  Ctrl + g            Open the message in an external editor
  Ctrl + r            Search in the history
  Ctrl + c            Stop the model from responding
  Ctrl + d            Exit (/bye)

"""

HELP_TOPICS: Final = {"": _COMMANDS, "set": _SET, "show": _SHOW, "shortcut": _SHORTCUTS, "shortcuts": _SHORTCUTS}
"""By the word after `/?`."""
