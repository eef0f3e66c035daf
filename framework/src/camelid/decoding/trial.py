"""Compiling a stranger's grammar where it can be stopped: a child process with little time and memory.

llguidance bounds most of what it does, but a few lines of schema (patterns that must hold together, a large
`multipleOf`) still cost it minutes and gigabytes. What compiles here in time compiles in the worker in time.
"""

import subprocess
import sys
import tempfile
import time
from typing import Final

from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from camelid.decoding.grammar_source import LIMITS, fault_text

__all__ = ("GrammarTrial", "main")

_COMMAND: Final = (sys.executable, "-P", "-m", "camelid.decoding.trial")
_CPU_SECONDS: Final = 2
_SECONDS: Final = 10.0
_BYTES: Final = 1 << 30
_TOO_COMPLEX: Final = "it is too complex"


class GrammarTrial:
    """One child process, from start to verdict."""

    def __init__(self, source: str) -> None:
        # Files, not pipes: writing to a pipe would wait for the child to read.
        self._answer = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        with tempfile.TemporaryFile() as asked:
            asked.write(source.encode())
            asked.seek(0)
            self._child = subprocess.Popen(_COMMAND, stdin=asked, stdout=self._answer, stderr=subprocess.DEVNULL)
        self._deadline = time.monotonic() + _SECONDS

    def wait(self, seconds: float) -> None:
        """Wait for the verdict, but not longer than this."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            if time.monotonic() > self._deadline:
                self._child.kill()

    def verdict(self) -> str | None:
        """What is wrong with the grammar, empty if nothing is; None as long as that is not known."""
        if self._child.poll() is None and time.monotonic() > self._deadline:
            self._child.kill()
            self._child.wait()
        if self._child.returncode is None:
            return None
        self._answer.seek(0)
        text = self._answer.read().decode("utf-8", "replace")
        return text if self._child.returncode == 0 else _TOO_COMPLEX

    def close(self) -> None:
        """End the child, if it has not ended."""
        self._child.kill()
        self._child.wait()
        self._answer.close()


class _Bytes(TokenizerWrapper):
    """The smallest vocabulary: compiling depends on the grammar, hardly on the tokens."""

    def __init__(self) -> None:
        self.tokens = [*(bytes((byte,)) for byte in range(255)), b"", b""]
        self.eos_token_id = 256
        self.bos_token_id = None
        self.special_token_ids = [256]
        self.is_tokenizer_wrapper = True

    def __call__(self, text: str) -> list[int]:
        return list(text.encode())


def main() -> None:
    """Compile the grammar on standard input; say what is wrong with it, or nothing."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows, where only the deadline ends a trial

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source = sys.stdin.buffer.read().decode()
    matcher = LLMatcher(LLTokenizer(_Bytes(), slices=[]), source, log_level=0, limits=LIMITS)
    if not matcher.is_error():
        matcher.compute_bitmask()
    sys.stdout.buffer.write(fault_text(matcher.get_error()).encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
