"""`camelid bench` on a real server, with the echo model."""

import json
import os
import subprocess
import sys


def bench(server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "camelid", "bench", *arguments],
        env={**os.environ, "OLLAMA_HOST": server.url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_all_scenarios_end_in_a_table_a_file_and_a_page(server, tmp_path):
    server.pull("camelid/echo")
    scenarios = ("distinct", "shared", "json", "embeddings", "cold")
    found = bench(
        server,
        "camelid/echo",
        "--against",
        server.url,
        *(word for name in scenarios for word in ("--scenario", name)),
        *("--streams", "2", "--rounds", "2", "--tokens", "8"),
        *("--json", str(tmp_path / "bench.json"), "--page", str(tmp_path / "bench.html")),
    )
    assert found.returncode == 0, found.stderr
    head, *lines = found.stdout.splitlines()
    assert " ".join(head.split()) == "LOAD SERVER FIGURE UNIT FIRST P50 FIRST P95 GAP P95 MEMORY FIRST IS BETTER BY"
    assert len(lines) == 2 * len(scenarios)
    report = json.loads((tmp_path / "bench.json").read_text())
    assert len(report["samples"]) == 2 * 2 * len(scenarios)
    by_load = {(row["load"]["scenario"], row["target"]): row for row in report["rows"]}
    assert by_load["json", "camelid"]["figure"] > 0
    assert by_load["embeddings", "camelid"]["unit"] == "texts/s"
    assert all(row["memory"] > 1_000_000 for row in report["rows"])
    assert (tmp_path / "bench.html").read_text().count("<svg") == len(scenarios)


def test_a_model_that_is_not_there(server):
    found = bench(server, "nosuchmodel", "--rounds", "1")
    assert found.returncode == 1
    assert "not found" in found.stderr
