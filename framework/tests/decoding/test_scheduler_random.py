"""Whatever arrives when, with however little room: every request gives what it gives alone."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from camelid.decoding.archive import PrefixArchive
from camelid.decoding.scheduler import Scheduler

COMMON = [59, *range(40)]


@st.composite
def scenarios(draw):
    context = draw(st.integers(5, 60))
    hidden = draw(st.sampled_from([0, 0, 3, 17]))
    decoder = {
        "sequences": draw(st.integers(1, 5)),
        "cells": draw(st.integers(context + hidden, 4 * context + hidden)),
        "hidden_cells": hidden,
        "context": context,
        "batch": draw(st.integers(1, 24)),
        "trims": draw(st.booleans()),
        "copies": draw(st.booleans()),
        "shifts": draw(st.booleans()),
        "moody": draw(st.booleans()),
    }
    requests = []
    for number in range(draw(st.integers(1, 8))):
        shared = draw(st.integers(0, min(len(COMMON), context - 2)))
        own = draw(st.lists(st.integers(0, 5), min_size=1, max_size=context - 1 - shared))
        pictures = draw(st.lists(st.tuples(st.sampled_from(b"\x01\x02\x03"), st.integers(1, 9)), max_size=2))
        place = draw(st.integers(0, len(own) - 1))
        room = context - 1 - shared - len(own)
        requests.append(
            {
                "id": number,
                "prompt": COMMON[:shared] + own,
                "place": shared + place,
                "pictures": pictures if sum(length for _, length in pictures) <= room else [],
                "num_predict": draw(st.sampled_from([-1, 1, 5, 40, 90])),
                "num_keep": draw(st.sampled_from([4, 0, 9, -1])),
                "shift": draw(st.booleans()),
                "arrives": draw(st.integers(0, 30)),
                "leaves": draw(st.sampled_from([None, None, None, 0, 1, 5, 20])),
            }
        )
    memory = draw(st.sampled_from([0, 0, 40, 300, 5000]))
    return decoder, requests, memory


def wish(number, prompt, **fields):
    return {
        "id": number,
        "prompt": prompt,
        "place": 0,
        "pictures": [],
        "num_predict": -1,
        "num_keep": 4,
        "shift": False,
        "arrives": 0,
        "leaves": None,
        **fields,
    }


NO_ROOM_FOR_A_PICTURE = (
    {
        "sequences": 2,
        "cells": 61,
        "hidden_cells": 3,
        "context": 32,
        "batch": 2,
        **dict.fromkeys(("trims", "copies", "shifts", "moody"), False),
    },
    [
        wish(0, [0], arrives=1),
        wish(1, [0]),
        wish(2, [0]),
        wish(3, [*COMMON[:29], 0], place=29, pictures=[(1, 1)]),
    ],
    0,
)
"""Once a step in which a younger request stepped back, and nothing else was done."""


@settings(max_examples=150, deadline=None)
@example(NO_ROOM_FOR_A_PICTURE)
@given(scenarios())
def test_every_request_gives_what_it_gives_alone(toys, scenario):
    shape, wanted, memory = scenario
    decoder = toys.BatchDecoder(**shape)
    engine = Scheduler(
        decoder, toys.Tokenizer(), archive=PrefixArchive(memory) if memory else None, clock=iter(range(10**9)).__next__
    )
    cells = engine._cache._cells
    answers = toys.Answers()
    requests = {}
    cancelled = set()
    # Every step computes a token at least, and a request needs at most its context anew after each step back.
    for step in range(30_000):
        for want in wanted:
            if want["arrives"] == step:
                keys = ("id", "prompt", "num_predict", "num_keep", "shift")
                fields = {key: want[key] for key in keys}
                fields["prompt"] = list(fields["prompt"])
                fields["num_predict"] = fields["num_predict"] if fields["num_predict"] > 0 else 3 * shape["context"]
                prompt = fields.pop("prompt")
                prompt[want["place"] : want["place"]] = [
                    toys.Media(bytes((content,)), length) for content, length in want["pictures"]
                ]
                request = toys.greedy(fields.pop("id"), prompt, **fields)
                requests[request.id] = request
                engine.submit(request)
            if want["leaves"] is not None and want["arrives"] + want["leaves"] == step:
                engine.cancel(want["id"])
                cancelled.add(want["id"])
                assert all(other.request.id != want["id"] for other in (*engine._running, *engine._waiting))
        if step > 60 and not engine.busy:
            break
        if engine.busy:
            before = decoder.computed + decoder.media_computed
            events = engine.step()
            assert events or decoder.computed + decoder.media_computed > before, "a step in which nothing happened"
            assert not any(event.id in cancelled for event in events)
            answers.take(events)
        assert cells.used == decoder.used
    assert not engine.busy
    assert all(slot.idle for slot in engine._cache.slots)
    for request in requests.values():
        answer = answers.get(request.id)
        tokens, finish = toys.expected(request, shape["context"])
        if request.id in cancelled and not (answer and answer.ended):
            assert answer is None or answer.tokens == tokens[: len(answer.tokens)]
        else:
            assert answer.error is None
            assert (answer.tokens, answer.finish) == (tokens, finish)
            assert answer.events[0].cached_tokens < len(request.prompt)
    while engine._cache.evict_oldest():
        pass
    assert (cells.used, decoder.used) == (0, 0)
