import asyncio
import math
from contextlib import aclosing

import pytest

from camelid.engine.pool import Pool
from camelid.errors import ModelNotFoundError, RequestError, UnsupportedCapabilityError
from camelid.services.agreement import scored_agreement
from camelid.services.compare import Compare
from camelid.services.comparison import CompareRequest
from camelid.services.loading import Models
from camelid.services.scoring import Greedy, Reference, Scored
from camelid.types.generation import Timings, TokenAlternative, TokenLogprob
from camelid.wire.messages import Delta


@pytest.fixture
def compare(models: Models, pool: Pool) -> Compare:
    return Compare(models, pool)


@pytest.fixture
def echoes(add_model):
    """Echo models, named after their tiers."""
    for tier in ("batch", "decoder", "engine"):
        add_model(tier, params={"backend_options": {"tier": tier}})


async def told(compare: Compare, *models: str, **more: object):
    """The events, without pieces of text, by target and by what they tell."""
    events = [event async for event in compare(CompareRequest(models=models, **more))]
    texts: dict[tuple[int, int], str] = {}
    for event in events:
        texts[event.prompt, event.target] = texts.get((event.prompt, event.target), "") + event.text
    for event in events:
        kinds = [event.loaded, event.text, event.answer, event.agreement, event.failure]
        assert sum(bool(kind) for kind in kinds) == 1
        if event.answer:
            assert event.answer.text == texts[event.prompt, event.target]
    return events


def only(events, kind: str):
    return {
        (event.prompt, event.target): getattr(event, kind) for event in events if getattr(event, kind) not in (None, "")
    }


@pytest.mark.usefixtures("echoes")
async def test_equal_models_agree_in_everything(compare: Compare):
    events = await told(compare, "batch", "decoder", prompts=("abcd efgh",), tokens=20)
    loaded, answers = only(events, "loaded"), only(events, "answer")
    assert [each.model for each in loaded.values()] == ["batch:latest", "decoder:latest"]
    assert {each.backend for each in loaded.values()} == {"echo"}
    first, second = answers.values()
    assert first.text == second.text
    assert first.tokens == second.tokens > 5
    assert (first.resident_memory, first.first_token > 0, first.tokens_per_second > 0) == (None, True, True)
    ((place, agreement),) = only(events, "agreement").items()
    assert place == (0, 1)
    assert (agreement.same_text, agreement.same_characters) == (True, len(first.text))
    assert (agreement.same_tokens, len(agreement.positions)) == (first.tokens, first.tokens)
    assert agreement.same_top == 1
    assert agreement.mean_divergence == pytest.approx(0, abs=1e-6)
    assert "".join(position.text for position in agreement.positions) == first.text


@pytest.mark.usefixtures("echoes")
@pytest.mark.parametrize(
    ("asked", "note"),
    [
        (("batch", "engine"), "echo gives no probabilities: only texts are compared"),
        (("engine", "batch"), "the reference's backend gives no probabilities: only texts are compared"),
    ],
)
async def test_texts_are_compared_where_there_are_no_probabilities(compare: Compare, asked, note):
    events = await told(compare, *asked, prompts=("abcd efgh",), tokens=8)
    (agreement,) = only(events, "agreement").values()
    assert agreement.same_text
    assert (agreement.note, agreement.same_tokens, agreement.positions) == (note, None, ())
    assert agreement.mean_divergence is None


@pytest.mark.usefixtures("echoes")
async def test_a_target_that_fails_leaves_the_others_alone(compare: Compare, add_model):
    add_model("broken", content=b'{"camelid_backend": "none"}')
    events = await told(compare, "broken", "batch", "decoder", prompts=("ab cd", "ef gh"), tokens=4)
    failures = only(events, "failure")
    assert set(failures) == {(0, 0), (1, 0)}
    assert "echo" in failures[0, 0]
    assert set(only(events, "agreement")) == {(0, 2), (1, 2)}


@pytest.mark.usefixtures("echoes")
async def test_nothing_is_reused_so_that_times_are_of_the_whole_prompt(compare: Compare, pool: Pool):
    for _ in range(2):
        await told(compare, "batch", prompts=("abcd efgh",), tokens=1)
    (model,) = pool.running()
    # Scoring goes on from the answer's own prompt, and nothing from that of an earlier comparison.
    assert 0 < model.usage.cached_tokens < model.usage.prompt_tokens


@pytest.mark.usefixtures("echoes")
async def test_leaving_early_stops_the_answer(compare: Compare, pool: Pool):
    request = CompareRequest(models=("batch", "decoder"), prompts=("abcd efgh " * 9,), tokens=1000)
    async with aclosing(compare(request)) as events:
        async for event in events:
            if event.text:
                break
    async with asyncio.timeout(20):
        while any(row.usage.running for row in pool.running()):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("echoes")
@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (CompareRequest(models=()), RequestError, "name one or more models"),
        (CompareRequest(models=("batch", "")), RequestError, "name one or more models"),
        (CompareRequest(models=("batch",), prompts=("a", "")), RequestError, "a prompt is empty"),
        (CompareRequest(models=("batch",), prompts=("a",) * 65), RequestError, "65 prompts are too many"),
        (CompareRequest(models=("batch",) * 17), RequestError, "17 models and backends are too many"),
        (CompareRequest(models=("batch",), tokens=0), RequestError, "between 1 and 1024"),
        (CompareRequest(models=("batch", "nope")), ModelNotFoundError, "model 'nope' not found"),
        (CompareRequest(models=("batch",), backends=("nope",)), UnsupportedCapabilityError, "no backend 'nope'"),
    ],
)
async def test_wrong_requests_fail_before_anything_is_loaded(compare: Compare, pool: Pool, request_, error, says):
    with pytest.raises(error, match=says):
        await anext(compare(request_))
    assert pool.running() == []


def greedy(text: str, answer: tuple[int, ...]) -> Greedy:
    return Greedy(text, Delta(1, context=(7, *answer), timings=Timings(prompt_tokens=1)))


def entry(token: int, logprob: float, top: int) -> TokenLogprob:
    return TokenLogprob(token, logprob, bytes((token,)), (TokenAlternative(top, -0.1),))


def test_agreement_counts_from_the_beginning():
    reference = Reference(
        greedy("abc", (97, 98, 99)), "digest", 256, Scored((entry(97, -0.1, 97), entry(98, -0.1, 98))), b""
    )
    scored = Scored((entry(97, -0.2, 97), entry(98, -3.0, 120)), (0.25, 0.75))
    agreement = scored_agreement(reference, greedy("abxd", (97, 98, 120, 100)), scored)
    assert (agreement.same_text, agreement.same_characters, agreement.same_tokens) == (False, 2, 2)
    assert (agreement.same_top, agreement.mean_divergence, agreement.most_divergence) == (0.5, 0.5, 0.75)
    assert [position.text for position in agreement.positions] == ["a", "b"]
    assert [position.reference_logprob for position in agreement.positions] == [-0.1, -0.1]


def test_an_infinite_divergence_is_none_and_so_is_the_mean():
    reference = Reference(greedy("a", (97,)), "digest", 256, Scored((entry(97, -0.1, 97),)), b"")
    agreement = scored_agreement(reference, greedy("a", (97,)), Scored((entry(97, -0.1, 97),), (math.inf,)))
    assert (agreement.positions[0].divergence, agreement.mean_divergence, agreement.most_divergence) == (None,) * 3
    assert agreement.same_top == 1
