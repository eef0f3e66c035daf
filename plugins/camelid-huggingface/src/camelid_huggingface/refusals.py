"""What the Hub's refusals mean, in words that say what to do."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from camelid.contracts.registry import TransientRegistryError
from camelid.errors import RegistryError

__all__ = ("Repository", "refusal", "seconds_to_wait")

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


class Repository(msgspec.Struct, frozen=True):
    """Which repository; its parts are those of a model's name."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """As addresses have it."""
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"hf.co/{self.path}"


def seconds_to_wait(headers: Mapping[str, str]) -> int:
    """How long the Hub wants to be left alone; 0 if it does not say."""
    stated = headers.get("retry-after", "").strip()
    return int(stated) if _SECONDS.fullmatch(stated) else 0


def refusal(status: int, headers: Mapping[str, str], repository: Repository) -> RegistryError:
    """The error for a status that is no success; a transient one if the same request may succeed a little later.

    Args:
        status: of the answer.
        headers: of the answer, looked up without regard to case.
        repository: that was asked for.
    """
    code = headers.get("x-error-code", "")
    reason = f"status {status}, {code or 'no code'}: {headers.get('x-error-message', '')[:500]}"
    page = f"https://huggingface.co/{repository.path}"
    if status in _PASSING:
        return TransientRegistryError(f"the Hugging Face Hub answers with status {status}: try again", reason=reason)
    if code == "GatedRepo":
        sentence = f"{repository} is gated: accept its license at {page}, then set HF_TOKEN to a token of your account"
    elif status == HTTPStatus.UNAUTHORIZED and "invalid credentials" in headers.get("x-error-message", "").lower():
        sentence = "the Hugging Face Hub does not know the token in HF_TOKEN, or of `hf auth login`: renew or remove it"
    elif code == "EntryNotFound":
        sentence = f"{repository} does not have that file any more: pull the model again"
    elif status in (401, 403, 404):
        # The Hub does not tell strangers which of the two it is. The first words are Ollama's.
        sentence = (
            f"file does not exist: {repository} is not on the Hub, or is private or gated: look at {page}, "
            "and set HF_TOKEN to a token of an account that may read it"
        )
    else:
        sentence = f"the Hugging Face Hub refuses {repository} with status {status}"
    return RegistryError(sentence, reason=reason)
