"""How many threads are best."""

import os

import pytest

from camelid_llamacpp.threads import _quota, _siblings, best_threads


def test_at_least_one_and_no_more_than_allowed():
    assert 1 <= best_threads() <= (os.cpu_count() or 1)


def test_hyper_threads_are_one_core(tmp_path):
    for cpu in range(4):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 2},{cpu % 2 + 2}\n")
    assert {_siblings(cpu, tmp_path) for cpu in range(4)} == {"0,2", "1,3"}


def test_without_topology_each_cpu_is_a_core(tmp_path):
    assert {_siblings(cpu, tmp_path) for cpu in range(4)} == {"0", "1", "2", "3"}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"a/b": "max 100000"}, None),
        ({"a/b": "200000 100000"}, 2),
        ({"a/b": "max 100000", "a": "350000 100000"}, 3),
        ({"a/b": "50000 100000"}, 1),
        ({"a/b": "nonsense"}, None),
    ],
)
def test_the_tightest_quota_counts(tmp_path, limits, expected):
    mount = tmp_path / "cgroup"
    (mount / "a" / "b").mkdir(parents=True)
    for group, limit in limits.items():
        (mount / group / "cpu.max").write_text(f"{limit}\n")
    membership = tmp_path / "membership"
    membership.write_text("1:name=systemd:/x\n0::/a/b\n")
    quota = _quota(mount, membership)
    assert quota == expected if expected else quota > 10**6


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert _quota(tmp_path, tmp_path / "absent") > 10**6
