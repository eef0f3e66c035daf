from pathlib import Path

import pytest


@pytest.mark.parametrize("arguments", [("bench", "m"), ("compare", "m"), ("check", "echo", "--model", "m")])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(camelid, tmp_path: Path, arguments):
    run = camelid(*arguments, "--json", str(tmp_path / "none" / "x.json"))
    assert run.returncode == 1
    assert f"'--json': '{tmp_path / 'none'}' is no folder that this user can write to." in run.stderr
