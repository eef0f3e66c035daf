"""A draft model guesses; whether it is right is for the main model to say."""

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest

from camelid.errors import ModelLoadError
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp.backend import LlamaModel

LIST = "one, two, three, four, five, one, two, three, four, five, one, two, three, four,"


@pytest.fixture(scope="module")
def drafted(model_path) -> Iterator[Callable[..., LlamaModel]]:
    """Load the real model with another one, or itself, as its draft."""
    models = []

    def load(draft=model_path, **options) -> LlamaModel:
        files = ModelFile(str(model_path)), ModelFile(str(draft), FileRole.DRAFT)
        wanted = LoadOptions(context_length=64, parallel=2, batch_tokens=32)
        artifact = ModelArtifact("drafted", "gguf", files)
        models.append(LlamaModel(artifact, msgspec.structs.replace(wanted, **options)))
        return models[-1]

    yield load
    for model in models:
        model.close()


def test_the_same_model_guesses_what_it_would_say(drafted, new_driver, encode):
    decoder = drafted().decoder()
    driver = new_driver(decoder)
    prompt = encode(LIST)
    said = driver.greedy(0, driver.read(0, [prompt]), 6)
    guessed = decoder.guess(0, np.array(prompt, np.int32), 6)
    assert guessed
    assert list(guessed) == said[: len(guessed)]
    assert list(decoder.guess(1, np.array(prompt, np.int32), 6)) == list(guessed)
    decoder.close()


def test_it_goes_on_from_what_was_said_whatever_it_guessed(drafted, encode):
    decoder = drafted().decoder()
    prompt = encode(LIST)
    first = list(decoder.guess(0, np.array(prompt, np.int32), 2))
    other = [*prompt, *encode(" six")]
    fresh = list(decoder.guess(1, np.array(other, np.int32), 3))
    assert list(decoder.guess(0, np.array(other, np.int32), 3)) == fresh
    assert list(decoder.guess(0, np.array(prompt, np.int32), 2)) == first
    decoder.close()


def test_a_long_prompt_is_read_in_several_calls(drafted, encode):
    decoder = drafted(batch_tokens=8).decoder()
    prompt = np.array(encode(LIST), np.int32)
    calls = [list(decoder.guess(0, prompt, 2)) for _ in range(-(-len(prompt) // 8))]
    assert not any(calls[:-1])
    assert calls[-1]
    decoder.close()


def test_a_full_cache_gives_no_guess_and_starts_anew(drafted, encode):
    decoder = drafted(context_length=32, parallel=1).decoder()
    prompt = np.array(encode(LIST)[:32], np.int32)
    while not (guessed := list(decoder.guess(0, prompt[:28], 3))):
        pass
    decoder.guess(0, np.concatenate([prompt, prompt]), 3)
    decoder.guess(0, np.concatenate([prompt, prompt]), 3)
    assert list(decoder.guess(0, prompt[:28], 3)) == guessed
    decoder.close()


def test_no_guesses_are_wanted(drafted, encode):
    decoder = drafted(draft_tokens=0).decoder()
    assert list(decoder.guess(0, np.array(encode(LIST), np.int32), 4)) == []
    decoder.close()


def test_its_memory_counts(drafted, model_path, load):
    with_draft, alone = drafted(), load()
    assert sum(use.model for use in with_draft.memory()) == 2 * sum(use.model for use in alone.memory())
    alone.close()


def test_another_vocabulary_is_refused(drafted, tiny):
    with pytest.raises(ModelLoadError, match="another vocabulary"):
        drafted(tiny["llama"])


def test_a_text_only_model_without_draft_never_guesses(decoder, encode):
    assert list(decoder.guess(0, np.array(encode(LIST), np.int32), 4)) == []
