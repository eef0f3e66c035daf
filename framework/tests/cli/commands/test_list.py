from datetime import UTC, datetime, timedelta

from camelid.cli.commands.list import models_table
from camelid.cli.messages import ListedModel

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_table():
    models = [
        ListedModel("llama3.2:latest", NOW - timedelta(days=3), "a80c4f17acd5" + "0" * 52, 2_019_393_189),
        ListedModel("big:cloud", NOW - timedelta(seconds=61), "b" * 64, 300, "big"),
    ]
    assert models_table(models, NOW) == (
        "NAME               ID              SIZE      MODIFIED\n"
        "llama3.2:latest    a80c4f17acd5    2.0 GB    3 days ago\n"
        "big:cloud          bbbbbbbbbbbb    -         About a minute ago\n"
    )


def test_an_empty_store_is_a_heading():
    assert models_table([], NOW) == "NAME    ID    SIZE    MODIFIED\n"
