import errno
import os
from pathlib import Path

import pytest

from camelid.errors import StoreError
from camelid.store import transfer_partial
from camelid.store.digests import digest_of
from camelid.store.transfer_partial import Partial

CONTENT = os.urandom(1000)
DIGEST = digest_of(CONTENT)


def begin(folder: Path) -> Partial:
    return Partial(folder, DIGEST, len(CONTENT), 400)


def test_what_is_here_is_found_again(tmp_path):
    partial = begin(tmp_path)
    partial.write(0, CONTENT[:400])
    partial.write(1, CONTENT[400:500])
    partial.close()
    again = begin(tmp_path)
    assert (again.completed, again.frontier, again.missing, again.rest(1)) == (500, 500, [1, 2], (500, 300))
    assert b"".join(map(bytes, again.read(0, 500, bytearray(64)))) == CONTENT[:500]
    again.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_it_is_found_again_where_who_reads_a_locked_file_is_refused(tmp_path, share_of_windows):
    for completed in (0, 300):
        partial = begin(tmp_path)
        assert partial.completed == completed
        partial.write(0, CONTENT[:300])
        partial.close()


def test_a_file_whose_end_failed_is_not_closed_twice(tmp_path, monkeypatch):
    """Its number may be another one's by then."""
    partial, close, closed = begin(tmp_path), os.close, []

    def fail_at_first(descriptor: int) -> None:
        close(descriptor)
        closed.append(descriptor)
        if len(closed) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(transfer_partial.os, "close", fail_at_first)
    with pytest.raises(StoreError, match="Input/output error"):
        partial.finish()
    partial.close()
    partial.close()
    assert len(closed) == len(set(closed)) == 2
