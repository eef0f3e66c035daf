"""What servers are asked to do. Every round brings texts that no server has seen before."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import ClassVar, Final

from camelid.bench.target import Ask, Turn
from camelid.types.json import JsonObject

__all__ = ("SCENARIOS", "Distinct", "FixedJSON", "Scenario", "SharedPrefix", "embedding_texts")

_WORDS: Final = (
    *("river", "mountain", "garden", "window", "letter", "captain", "winter", "summer", "market", "engine"),
    *("forest", "silver", "island", "teacher", "bridge", "copper", "doctor", "harbor", "village", "journey"),
    *("candle", "museum", "castle", "desert", "painter", "ocean", "library", "station", "orchard", "planet"),
)

_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "identifier": {"type": "integer", "minimum": 0, "maximum": 9999},
        "first_name": {"type": "string", "maxLength": 12},
        "last_name": {"type": "string", "maxLength": 12},
        "email_verified": {"type": "boolean"},
        "subscription_level": {"enum": ["free", "standard", "professional"]},
        "preferred_language": {"enum": ["english", "german", "french", "spanish"]},
        "account_balance": {"type": "integer", "minimum": 0, "maximum": 9999},
        "newsletter_enabled": {"type": "boolean"},
    },
    "required": [
        "identifier",
        "first_name",
        "last_name",
        "email_verified",
        "subscription_level",
        "preferred_language",
        "account_balance",
        "newsletter_enabled",
    ],
    "additionalProperties": False,
}


class Scenario(ABC):
    """A kind of load."""

    name: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def asks(self, streams: int, tokens: int, seed: int) -> list[Ask]:
        """What is asked at once.

        Args:
            streams: how many answers.
            tokens: longest answer, where the scenario has no length of its own.
            seed: another one gives other texts.
        """


class Distinct(Scenario):
    """Short prompts that share nothing but the template."""

    name = "distinct"
    description = "different prompts; tokens per second over all streams"

    def asks(self, streams: int, tokens: int, seed: int) -> list[Ask]:
        """One story each."""
        random = Random(seed)
        return [
            Ask((Turn("user", f"{_nonce(random)}: Tell me a long story about {_words(random, 3)}."),), tokens, number)
            for number in range(1, streams + 1)
        ]


class SharedPrefix(Scenario):
    """One long text that is new to the server, and a question of each stream about it."""

    name = "shared"
    description = "one new prefix of about 1,000 tokens for all streams; seconds until all are answered"

    def asks(self, streams: int, tokens: int, seed: int) -> list[Ask]:  # noqa: ARG002 - the prompt is the work here
        """The text as a system message, then a question."""
        random = Random(seed)
        text = " ".join(f"{_words(random, 6).capitalize()}." for _ in range(135))
        system = Turn("system", f"{_nonce(random)} {text}")
        return [
            Ask((system, Turn("user", f"What do you know about the {_words(random, 1)}?")), 16, number)
            for number in range(1, streams + 1)
        ]


class FixedJSON(Scenario):
    """Objects of a schema whose keys are all known beforehand."""

    name = "json"
    description = "JSON Schema with fixed keys; objects per second over all streams"

    def asks(self, streams: int, tokens: int, seed: int) -> list[Ask]:  # noqa: ARG002 - the object ends by itself
        """One person each."""
        random = Random(seed)
        return [
            Ask(
                (Turn("user", f"{_nonce(random)}: Invent a customer from {_words(random, 2)} as JSON."),),
                256,
                number,
                schema=_SCHEMA,
            )
            for number in range(1, streams + 1)
        ]


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {scenario.name: scenario for scenario in (Distinct(), SharedPrefix(), FixedJSON())}
)


def embedding_texts(count: int, seed: int) -> list[str]:
    """Sentences to embed, about 30 tokens each."""
    random = Random(seed)
    return [f"{_nonce(random)} {_words(random, 24)}" for _ in range(count)]


def _nonce(random: Random) -> str:
    return f"{random.getrandbits(32):08x}"


def _words(random: Random, count: int) -> str:
    return " ".join(random.choices(_WORDS, k=count))
