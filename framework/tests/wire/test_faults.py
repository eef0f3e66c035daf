import inspect

import pytest

from camelid import errors
from camelid.contracts.generation import KVCacheFullError
from camelid.errors import CamelidError, ModelMemoryError, WorkerError
from camelid.wire.faults import error_from, fault_from
from camelid.wire.framing import decode_from_worker, encode
from camelid.wire.messages import Failed, Fault

TREE = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, CamelidError)]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_of_the_tree_survives_the_wire(kind):
    error = kind("what to do", reason="why", plugin="who")
    again = error_from(decode_from_worker(encode(Failed(3, fault_from(error)))).fault)
    assert type(again) is kind
    assert (again.message, again.reason, again.plugin) == ("what to do", "why", "who")
    assert (again.status, str(again)) == (error.status, "what to do")


def test_an_error_from_outside_the_tree_becomes_its_nearest_ancestor_in_it():
    again = error_from(fault_from(KVCacheFullError("full")))
    assert type(again) is ModelMemoryError
    assert again.message == "full"


def test_a_foreign_exception_keeps_its_text_for_the_log_only():
    again = error_from(fault_from(ValueError("/secret/path")))
    assert type(again) is CamelidError
    assert "/secret/path" not in again.message
    assert again.reason == "ValueError: /secret/path"


@pytest.mark.parametrize("kind", ["ErrorOfTheFuture", "error_class", "Exception", "__builtins__", "CamelidErrorx", ""])
def test_an_unknown_kind_is_a_worker_error(kind):
    assert type(error_from(Fault(kind, "m"))) is WorkerError
