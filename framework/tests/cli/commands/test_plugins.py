import json
from pathlib import Path

import pytest


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with an installed plugin that cannot be imported."""
    (tmp_path / "camelid_broken.py").write_text("CAMELID_API = 1\nraise RuntimeError('it was never finished')\n")
    info = tmp_path / "camelid_broken-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: camelid-broken\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[camelid]\nbroken = camelid_broken\n")
    return str(tmp_path)


def test_a_broken_plugin_is_a_row_with_its_reason(camelid_process, broken: str):
    run = camelid_process("plugins", PYTHONPATH=broken)
    assert (run.returncode, run.stderr) == (0, "")
    row = next(line for line in run.stdout.splitlines() if line.startswith("broken "))
    assert "camelid-broken 1.2" in row
    assert "it was never finished" in row


def test_json_has_the_same_rows(camelid_process, broken: str):
    rows = {row["name"]: row for row in json.loads(camelid_process("plugins", "--json", PYTHONPATH=broken).stdout)}
    assert rows["broken"]["status"] == "broken"
    assert "it was never finished" in rows["broken"]["reason"]
    assert rows["echo"]["status"] == "loaded"
    assert [backend["name"] for backend in rows["echo"]["backends"]] == ["echo"]


def test_settings_leave_plugins_out(camelid_process):
    run = camelid_process("plugins", "--json", CAMELID_DISABLED_PLUGINS="echo")
    rows = {row["name"]: row for row in json.loads(run.stdout)}
    assert rows["echo"]["status"] == "disabled"
