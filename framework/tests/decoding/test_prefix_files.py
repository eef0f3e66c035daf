"""Prefixes that survive unloading: files, and what becomes of damaged, foreign and too many of them."""

import os

import numpy as np
import pytest

from camelid.decoding import prefix_files
from camelid.decoding.archive import PrefixArchive
from camelid.decoding.prefix import SavedPrefix
from camelid.decoding.prefix_files import PrefixFiles, folder_of_model
from camelid.decoding.scheduler import Scheduler
from camelid.errors import ModelError

MODEL = "sha256:" + "a" * 64
PATIENCE = 60.0


def prefix(token: int, count: int = 40, state: bytes = b"state", tenant: str = "") -> SavedPrefix:
    return SavedPrefix(np.full(count, token, np.int32), state, tenant)


@pytest.fixture
def root(tmp_path):
    """The folder of all prefixes."""
    return tmp_path / "prefixes"


@pytest.fixture
def opened(root):
    """Open the files of a model as a worker would, for others to find what it left."""
    all_files = []

    def open_files(*identity, model=MODEL, budget=10_000):
        files = PrefixFiles(folder_of_model(root, model, *identity), budget, closing_seconds=PATIENCE)
        all_files.append(files)
        return files

    yield open_files
    for files in all_files:
        files.close()


@pytest.fixture
def left(opened):
    """Write prefixes and close."""

    def write(*prefixes, **how):
        files = opened(**how)
        for each in prefixes:
            assert files.keep(each, patient=True)
        files.close()

    return write


def found(files, token, tenant=""):
    return [files.read(file).result(PATIENCE) for file in files.of(np.full(40, token, np.int32), tenant)]


def stored(root):
    return sorted(root.glob("*/*/*"))


def test_another_worker_finds_what_one_left(opened, left, root):
    left(prefix(1))
    files = opened()
    (file,) = files.of(np.full(50, 1, np.int32), "")
    assert file.tokens.tolist() == [1] * 40
    assert file.tokens.dtype == np.int32
    assert found(files, 1) == [b"state"]
    (path,) = stored(root)
    assert files.used == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    assert not found(opened("another context"), 1)
    assert not found(files, 2)


def test_tenants_have_their_own(opened, left):
    left(prefix(1, state=b"hers", tenant="she"), prefix(1, state=b"his", tenant="he"))
    files = opened()
    assert (found(files, 1, "she"), found(files, 1, "he"), found(files, 1)) == ([b"hers"], [b"his"], [])


def test_what_is_there_is_not_written_again_unless_somebody_removed_it(opened, left, root):
    left(prefix(1, 40), prefix(1, 50), prefix(1, 45), prefix(1, 50))
    assert len(stored(root)) == 1
    files = opened()
    stored(root)[0].unlink()
    files.keep(prefix(1, 45, b"again"))
    files.close()
    assert found(opened(), 1) == [b"again"]


HEAD = len(prefix_files._MAGIC)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:-1] + b"x",
        lambda content: content[:30],
        lambda content: b"",
        lambda content: b"x" * len(content),
        lambda content: content[: HEAD + 16] + b"\xff\xff\xff\xff" + content[HEAD + 20 :],
        lambda content: content.replace(b"\x01\x00\x00\x00", b"\x02\x00\x00\x00", 1),
        lambda content: content.replace(b"\x01\x00\x00\x00", b"\x02\x00\x00\x00"),
        lambda content: content[: -len(b"state") - 17] + b"\xcf" + b"\xff" * 8 + content[-len(b"state") - 8 :],
    ],
)
def test_damaged_files_are_told(opened, left, root, damage):
    left(prefix(1))
    (path,) = stored(root)
    path.write_bytes(damage(path.read_bytes()))
    files = opened()
    for token in (1, 2):
        for file in files.of(np.full(40, token, np.int32), ""):  # one whose header is no header is not even listed
            with pytest.raises(ModelError, match="computed again"):
                files.read(file).result(PATIENCE)
            files.discard(file)
            assert not path.exists()
            assert not files.of(np.full(40, token, np.int32), "")


def test_the_least_recently_used_of_all_models_go(opened, left, root):
    other = "sha256:" + "b" * 64
    left(prefix(5, state=bytes(300)), model=other)
    os.utime(stored(root)[0], (1, 1))
    left(prefix(6, state=bytes(300)), budget=1400)
    os.utime(next(path for path in stored(root) if path.stat().st_mtime > 1), (2, 2))
    left(prefix(7, state=bytes(300)), prefix(8, 4000, bytes(300)), budget=1400)  # one is larger than all that may be
    assert not found(opened(model=other), 5)
    assert [len(found(opened(), token)) for token in (6, 7, 8)] == [1, 1, 0]


def test_at_closing_the_last_used_find_room_first(opened):
    archive = PrefixArchive(10_000, opened(budget=1200))
    for token in range(1, 5):
        archive.keep(prefix(token, state=bytes(300)))
    archive.close([prefix(9, state=bytes(300))])
    files = opened(budget=1200)
    assert [len(found(files, token)) for token in (1, 2, 3, 4, 9)] == [0, 0, 0, 1, 1]


def test_nothing_is_removed_for_what_would_not_fit_anyway(left, root, monkeypatch):
    left(prefix(1))
    os.utime(stored(root)[0], (1, 1))
    monkeypatch.setattr(prefix_files, "_RESERVE", 1 << 60)
    left(prefix(2))
    assert len(stored(root)) == 1


def test_media_stay_in_memory(left, root):
    left(SavedPrefix(np.array([1] * 40 + [-5], np.int32), b"state"))
    assert stored(root) == []


def test_what_is_being_written_at_the_end_leaves_nothing(root, monkeypatch):
    monkeypatch.setattr(prefix_files, "_CHUNK", 1)
    files = PrefixFiles(folder_of_model(root, MODEL), 1 << 30, closing_seconds=0)
    files.keep(prefix(1, state=bytes(5_000_000)))
    files.close()
    assert stored(root) == []


def test_a_slow_disk_is_not_waited_for(opened, monkeypatch):
    files = opened()
    monkeypatch.setattr(files, "_write", lambda *_: files._given_up.wait(PATIENCE))
    assert [files.keep(prefix(token)) for token in range(4)] == [True, True, False, False]
    files._given_up.set()


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path, caplog):
    (tmp_path / "in the way").touch()
    files = PrefixFiles(folder_of_model(tmp_path / "in the way", MODEL), 10_000)
    files.keep(prefix(1))
    files.close()
    assert "could not be written" in caplog.text
    assert not found(files, 1)


@pytest.mark.parametrize("budget", [10, 1000])
def test_what_memory_has_no_room_for_goes_on_to_the_disk_and_comes_back(opened, budget):
    archive = PrefixArchive(10, opened())
    archive.keep(prefix(1, state=b"a" * 10))
    archive.keep(prefix(2, state=b"b" * 10))
    archive.close([prefix(3, state=b"c" * 20)])
    again = PrefixArchive(budget, opened())
    for token, state in ((1, b"a" * 10), (2, b"b" * 10), (3, b"c" * 20)):
        wanted = np.array([token] * 40 + [9, 9], np.int32)
        assert not again.fetching(wanted, "", held=20)
        assert not again.fetching(wanted, "somebody else", held=0)
        assert again.best(wanted) == (0, None)
        assert again.fetching(wanted, "", held=0)
        again.wait(PATIENCE)
        assert not again.fetching(wanted, "", held=0)
        length, saved = again.best(wanted)
        assert (length, saved.state) == (40, state)
        assert again.used <= budget
        again.discard(saved)
        assert again.best(wanted) == (0, None)
        assert not again.fetching(wanted, "", held=0)


def test_a_file_that_is_lost_is_asked_for_once(opened, left, root, caplog):
    left(prefix(1))
    archive = PrefixArchive(100, opened())
    stored(root)[0].unlink()
    assert archive.fetching(np.full(60, 1, np.int32), "", 0)
    archive.wait(PATIENCE)
    assert not archive.fetching(np.full(60, 1, np.int32), "", 0)
    assert "computed again" in caplog.text


@pytest.fixture
def load(toys, opened):
    """Load a toy as a worker does."""

    def load_toy(memory=0, **shape):
        decoder = toys.BatchDecoder(**{"sequences": 2, "cells": 400, "context": 200, "batch": 64} | shape)
        archive = PrefixArchive(memory, opened())
        return decoder, Scheduler(decoder, toys.Tokenizer(), archive=archive, draft_tokens=0, clock=lambda: 0.0)

    return load_toy


@pytest.mark.parametrize("memory", [0, 10_000])
def test_a_conversation_goes_on_after_its_model_was_unloaded(toys, load, memory):
    prompt = [1] * 60
    for turn in range(3):
        decoder, engine = load(memory)
        request = toys.greedy(turn, prompt, num_predict=4)
        answer = toys.run(engine, request)[turn]
        assert answer.tokens == toys.expected(request, 200)[0]
        assert bool(decoder.restored) == bool(turn)
        assert decoder.computed <= (70 if not turn else 12)
        prompt += [*answer.tokens, turn]
        engine.close()


def test_others_go_on_while_a_file_is_read(toys, load, monkeypatch):
    _, engine = load()
    toys.run(engine, toys.greedy(0, [1] * 60, num_predict=2))
    engine.close()
    decoder, engine = load()
    hold = prefix_files.Event()
    read = prefix_files._read
    monkeypatch.setattr(prefix_files, "_read", lambda file: hold.wait(PATIENCE) and read(file))
    other, waiting = toys.greedy(1, [2] * 10, num_predict=50), toys.greedy(2, [1] * 60 + [3], num_predict=2)
    answers = toys.Answers()
    engine.submit(other)
    answers.take(engine.step())
    engine.submit(waiting)
    for _ in range(10):
        answers.take(engine.step())
    assert len(answers[1].tokens) > 8
    assert 2 not in answers
    hold.set()
    while engine.busy:
        answers.take(engine.step())
    assert answers[2].events[0].cached_tokens == 60
    assert decoder.restored == 61
    for request in (other, waiting):
        assert answers[request.id].tokens == toys.expected(request, 200)[0]


def test_states_of_a_memory_that_cannot_go_back_are_of_use_as_a_whole(toys, load):
    decoder, engine = load(10_000, trims=False, copies=False, sequences=1)
    for number in range(6):
        prompt = [1] * 60 if number % 2 else [1] * 50 + [2] * 20
        request = toys.greedy(number, prompt, num_predict=4)
        assert toys.run(engine, request)[number].tokens == toys.expected(request, 200)[0]
    assert decoder.restored <= 70  # once, to find out


def test_nobody_is_given_what_another_tenant_asked(toys, load):
    decoder, engine = load(10_000)
    for number, tenant in enumerate(["she", "he", "she", "he", "it"]):
        request = toys.greedy(number, [5] * 60, num_predict=4, tenant=tenant)
        answer = toys.run(engine, request)[number]
        assert answer.events[0].cached_tokens == (59 if number in (2, 3) else 0)
    together = [toys.greedy(10 + number, [7] * 60, num_predict=4, tenant=str(number)) for number in range(2)]
    before = decoder.computed
    toys.run(engine, *together)
    assert decoder.computed - before >= 120
