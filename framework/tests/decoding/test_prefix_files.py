"""Prefixes that survive unloading: files, and what becomes of damaged, foreign and too many of them."""

import os
import time

import numpy as np
import pytest

from camelid.decoding.archive import PrefixArchive, SavedPrefix
from camelid.decoding.prefix_files import PrefixFiles, prefix_folder
from camelid.decoding.scheduler import Scheduler
from camelid.errors import ModelError

MODEL = "sha256:" + "a" * 64


def tokens(*parts: tuple[int, int]):
    return np.array([token for token, count in parts for _ in range(count)], np.int32)


@pytest.fixture
def root(tmp_path):
    """The folder of all prefixes, in a store that has the model."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / MODEL.replace(":", "-")).touch()
    return tmp_path / ".camelid" / "prefixes"


@pytest.fixture
def opened(root):
    """Open the files of a model as a worker would, for others to find what it left."""
    all_files = []

    def open_files(*identity, model=MODEL, budget=10_000):
        files = PrefixFiles(prefix_folder(root, model, *identity), budget)
        all_files.append(files)
        return files

    yield open_files
    for files in all_files:
        files.close()


def stored(root):
    return sorted(path.name for path in root.glob("*/*/*"))


def test_another_worker_finds_what_one_left(opened, root):
    files = opened()
    files.keep(tokens((1, 40)), b"state", "")
    files.close()
    (found,) = opened().of("")
    assert found.tokens.tolist() == [1] * 40
    assert found.tokens.dtype == np.int32
    assert found.read() == b"state"
    assert opened().used == sum(path.stat().st_size for path in root.glob("*/*/*"))
    assert not opened("another context").of("")
    (path,) = root.glob("*/*/*")
    assert path.stat().st_mode & 0o777 == 0o600


def test_tenants_have_their_own(opened):
    files = opened()
    files.keep(tokens((1, 40)), b"hers", "she")
    files.keep(tokens((1, 40)), b"his", "he")
    files.close()
    again = opened()
    assert [file.read() for file in again.of("she")] == [b"hers"]
    assert [file.read() for file in again.of("he")] == [b"his"]
    assert not again.of("")


def test_what_a_longer_one_contains_is_removed_and_what_is_there_is_not_written_again(opened, root):
    files = opened()
    files.keep(tokens((1, 40)), b"short", "", patient=True)
    files.keep(tokens((1, 50)), b"long", "", patient=True)
    files.close()
    assert len(stored(root)) == 1
    again = opened()
    again.keep(tokens((1, 45)), b"part", "")
    again.close()
    assert [file.read() for file in opened().of("")] == [b"long"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:-1] + b"x",
        lambda content: content[:30],
        lambda content: b"",
        lambda content: b"x" * len(content),
        lambda content: content[:17] + b"\xff\xff\xff\xff" + content[21:],
    ],
)
def test_damaged_files_are_told(opened, root, damage):
    files = opened()
    files.keep(tokens((1, 40)), b"the state", "")
    files.close()
    (path,) = root.glob("*/*/*")
    path.write_bytes(damage(path.read_bytes()))
    again = opened()
    for file in again.of(""):  # one whose header is damaged is not even listed
        with pytest.raises(ModelError, match="computed again"):
            file.read()
        again.discard(file)
        assert not path.exists()
    assert not again.of("")


def test_a_file_that_somebody_removed_is_lost_and_no_harm(opened, root):
    files = opened()
    files.keep(tokens((1, 40)), b"state", "")
    files.close()
    (file,) = opened().of("")
    file.path.unlink()
    with pytest.raises(ModelError, match="computed again"):
        file.read()


def test_the_least_recently_used_of_all_models_go(opened, root):
    other = "sha256:" + "b" * 64
    (root.parent.parent / "blobs" / other.replace(":", "-")).touch()
    files, foreign = opened(budget=1400), opened(model=other, budget=1400)
    for number, target in enumerate((foreign, files, files)):
        target.keep(tokens((number, 40)), bytes(300), "", patient=True)
    files.close()
    foreign.close()
    for age, path in enumerate(sorted(root.glob("*/*/*"), key=lambda path: path.parts[-3] != other.replace(":", "-"))):
        os.utime(path, (age + 1, age + 1))
    again = opened(budget=1400)
    again.keep(tokens((9, 40)), bytes(300), "", patient=True)
    again.keep(tokens((8, 4000)), bytes(300), "", patient=True)  # larger than all that is allowed
    again.close()
    assert not opened(model=other).of("")
    assert len(stored(root)) == 2


def test_files_of_models_that_are_gone_and_abandoned_ones_are_removed(opened, root):
    gone = "sha256:" + "c" * 64
    lost = opened(model=gone)
    time.sleep(0)
    lost.keep(tokens((1, 40)), b"state", "", patient=True)
    lost.close()
    kept = opened()
    kept.keep(tokens((1, 40)), b"state", "", patient=True)
    kept.close()
    (path,) = root.glob(f"{MODEL.replace(':', '-')}/*/*")
    old, fresh = path.with_name("old.part"), path.with_name("fresh.part")
    old.touch()
    fresh.touch()
    os.utime(old, (1, 1))
    opened().close()
    assert stored(root) == sorted([path.name, "fresh.part"])
    assert not (root / gone.replace(":", "-")).exists()


def test_media_stay_in_memory(opened, root):
    files = opened()
    files.keep(np.array([1] * 40 + [-5], np.int32), b"state", "")
    files.close()
    assert stored(root) == []


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path, caplog):
    (tmp_path / "in the way").touch()
    files = PrefixFiles(prefix_folder(tmp_path / "in the way", MODEL), 10_000)
    files.keep(tokens((1, 40)), b"state", "")
    files.close()
    assert "could not be written" in caplog.text
    assert not files.of("")


def test_what_memory_has_no_room_for_goes_on_to_the_disk_and_comes_back(opened):
    archive = PrefixArchive(10, opened())
    archive.keep(SavedPrefix(tokens((1, 40)), b"a" * 10))
    archive.keep(SavedPrefix(tokens((2, 40)), b"b" * 10))
    archive.close([SavedPrefix(tokens((3, 40)), b"c" * 10)])
    again = PrefixArchive(10, opened())
    for number, letter in ((1, b"a"), (2, b"b"), (3, b"c")):
        length, found = again.best(tokens((number, 40), (9, 9)))
        assert (length, found.read()) == (40, letter * 10)
        assert not again.wants(tokens((number, 40)))
        assert again.wants(tokens((number, 40)), "somebody else")
        again.discard(found)
        assert again.best(tokens((number, 40))) == (0, None)


def test_a_conversation_goes_on_after_its_model_was_unloaded(toys, opened):
    def load():
        decoder = toys.BatchDecoder(sequences=2, cells=400, context=200, batch=64)
        engine = Scheduler(
            decoder, toys.Tokenizer(), archive=PrefixArchive(0, opened()), draft_tokens=0, clock=lambda: 0.0
        )
        return decoder, engine

    prompt = [1] * 60
    for turn in range(3):
        decoder, engine = load()
        request = toys.greedy(turn, prompt, num_predict=4)
        answer = toys.run(engine, request)[turn]
        assert answer.tokens == toys.expected(request, 200)[0]
        assert bool(decoder.restored) == bool(turn)
        assert decoder.computed <= (70 if not turn else 12)
        prompt += [*answer.tokens, turn]
        engine.close()


def test_nobody_is_given_what_another_tenant_asked(toys, opened):
    decoder = toys.BatchDecoder(sequences=2, cells=400, context=200, batch=64)
    engine = Scheduler(
        decoder, toys.Tokenizer(), archive=PrefixArchive(10_000, opened()), draft_tokens=0, clock=lambda: 0.0
    )
    for number, tenant in enumerate(["she", "he", "she", "he", "it"]):
        request = toys.greedy(number, [5] * 60, num_predict=4, tenant=tenant)
        answer = toys.run(engine, request)[number]
        assert answer.events[0].cached_tokens == (59 if number in (2, 3) else 0)
    together = [toys.greedy(10 + number, [7] * 60, num_predict=4, tenant=str(number)) for number in range(2)]
    before = decoder.computed
    toys.run(engine, *together)
    assert decoder.computed - before >= 120
