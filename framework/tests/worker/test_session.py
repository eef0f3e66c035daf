"""What a saved prompt has to share with a worker to be of use to it."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from camelid.types.artifact import FileRole, ModelFile
from camelid.wire.messages import PROTOCOL_VERSION, Start
from camelid.worker.session import Session

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def folder(starts, tmp_path) -> Iterator[Callable[..., str]]:
    """Where the prompts of a model would be, loaded with these options and files."""
    sessions = []

    def find(*more: ModelFile, **options: object) -> str:
        wanted = {"prefix_disk": 1000, "prefix_folder": str(tmp_path)} | options
        start = starts.echo()
        model = msgspec.structs.replace(start.artifact.model, digest=DIGEST)
        artifact = msgspec.structs.replace(start.artifact, files=(model, *more))
        loaded = msgspec.structs.replace(start.options, **wanted)
        sessions.append(Session(Start(PROTOCOL_VERSION, start.backend, start.plugin, artifact, loaded)))
        archive = sessions[-1]._archive(sessions[-1].ready.facts)
        if archive is None:
            return ""
        sessions.append(archive)
        return str(archive._files._folder)

    yield find
    for each in sessions:
        each.close()


@pytest.mark.parametrize(
    "options",
    [
        {"context_length": 64},
        {"parallel": 3},
        {"batch_tokens": 7},
        {"cache_type": "q8_0"},
        {"flash_attention": True},
        {"gpu_layers": 3},
        {"backend": {"delay": 0.001}},
    ],
)
def test_what_may_change_a_number_has_another_folder(folder, options):
    assert folder() != folder(**options)


def test_another_file_has_another_folder(folder):
    assert folder() != folder(ModelFile("", FileRole.DRAFT, digest="sha256:" + "b" * 64))


@pytest.mark.parametrize(
    "options",
    [{"threads": 2}, {"memory_map": False}, {"draft_tokens": 3}, {"prefix_memory": 5}, {"prefix_disk": 7}],
)
def test_what_changes_no_number_has_not(folder, options):
    assert folder() == folder(**options)


def test_nothing_is_kept_where_nothing_is_wanted(folder):
    assert folder(prefix_disk=0) == ""
