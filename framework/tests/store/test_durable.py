import errno
import os
from pathlib import Path

import pytest

from camelid.errors import DiskFullError, StoreError
from camelid.store.durable import disk_errors

ADVICE = "let this user read and write there, or let OLLAMA_MODELS name another folder"


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.EACCES, f"; {ADVICE}"), (errno.EROFS, f"; {ADVICE}"), (errno.EIO, "")]
)
def test_a_refusal_says_what_can_be_done(code: int, advice: str):
    with pytest.raises(StoreError) as refused, disk_errors(Path("models/blobs")):
        raise OSError(code, os.strerror(code))
    reason = f"{os.strerror(code)}: {Path('models/blobs')}"
    assert refused.value.message == f"the models folder cannot be used: {reason}{advice}"
    assert refused.value.reason == reason


def test_a_full_disk_is_an_error_of_its_own():
    with pytest.raises(DiskFullError, match="no space left in models: remove models"), disk_errors(Path("models/x")):
        raise OSError(errno.ENOSPC, "full")
