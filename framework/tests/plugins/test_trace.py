"""A trace shows what a hook was given and gave, briefly, and no secrets."""

import logging
import subprocess
import sys

import msgspec
import pytest

from camelid.plugins.trace import LOGGER, Call


class Given(msgspec.Struct):
    name: str
    api_key: str = "hush"
    more: dict[str, object] = {}


@pytest.fixture
def traced(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def test_arguments_result_and_time(traced):
    call = Call("toy", "camelid_load_model", {"artifact": Given("m"), "count": 3})
    call.returned([1, 2])
    call.raised(ValueError("no"))
    begun, returned, raised = traced.messages
    assert begun.startswith("toy: camelid_load_model(artifact=Given(name='m', api_key='…', more={}), count=3)")
    assert returned.startswith("toy: camelid_load_model -> [1, 2] in 0.")
    assert raised.startswith("toy: camelid_load_model raised ValueError('no') after 0.")


def test_secrets_are_hidden_and_tokenizers_are_not(traced):
    secrets = {"token": "s1", "HF_TOKEN": "s2", "password": "s3", "Authorization": "s4", "tokenizer": "shown"}
    Call("toy", "hook", {"options": Given("m", more=secrets)})
    assert "shown" in traced.text
    assert not [secret for secret in ("hush", "s1", "s2", "s3", "s4") if f"'{secret}'" in traced.text]


def test_what_is_large_is_cut(traced):
    class Sly:
        def __repr__(self):
            raise RuntimeError

    large = {"text": "x" * 10_000_000, "bytes": bytes(10_000_000), "list": list(range(1_000_000)), "sly": Sly()}
    Call("toy", "hook", {"one": large, "two": Given("m", more=large)}).returned({str(n): n for n in range(100_000)})
    assert len(traced.text) < 2000
    assert "<10000000 bytes>" in traced.text


def test_a_process_without_a_log_writes_to_standard_error():
    code = "from camelid.plugins.trace import *; begin_tracing(); Call('toy', 'hook', {}).returned(None)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert run.stderr.startswith("toy: hook()\ntoy: hook -> None in ")
