from datetime import UTC, datetime, timedelta

import pytest

from camelid.cli.commands.ps import backends_table, processor, running_table
from camelid.cli.messages import RunningModel

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_table():
    models = [
        RunningModel("a:latest", datetime(2318, 1, 1, tzinfo=UTC), "a" * 64, 5_400_000_000, 5_400_000_000, 4096),
        RunningModel("b:latest", NOW + timedelta(minutes=4, seconds=59), "b" * 64, 98_000_000, 0, 8192),
    ]
    assert running_table(models, NOW) == (
        "NAME        ID              SIZE      PROCESSOR    CONTEXT    UNTIL\n"
        "a:latest    aaaaaaaaaaaa    5.4 GB    100% GPU     4096       Forever\n"
        "b:latest    bbbbbbbbbbbb    98 MB     100% CPU     8192       4 minutes from now\n"
    )


def test_the_table_of_backends():
    row = RunningModel("a:latest", NOW, backend="echo", backend_reason="the request asks for it", runtime="echo 1.0")
    assert backends_table([row]) == (
        "NAME        BACKEND    RUNTIME     BECAUSE\na:latest    echo       echo 1.0    the request asks for it\n"
    )


@pytest.mark.parametrize(
    ("size", "size_vram", "text"),
    [
        (100, 0, "100% CPU"),
        (100, 100, "100% GPU"),
        (100, 52, "48%/52% CPU/GPU"),
        (100, 101, "Unknown"),
        (0, 0, "100% CPU"),
    ],
)
def test_the_processor_column(size: int, size_vram: int, text: str):
    assert processor(size, size_vram) == text
