"""What the conformance kit found, in `/api/show`."""

import asyncio

from camelid.plugins.proofs import Proof, Proofs, machine_name, versions_behind
from camelid.settings import Settings
from camelid.types.capabilities import Capability

FOUND = Proof(
    backend="echo",
    model="camelid/echo",
    files="sha256:1",
    versions=versions_behind("camelid-echo"),
    machine=machine_name(),
    checked_at="2026-11-30T02:00:00+00:00",
    verified=(Capability.COMPLETION,),
    failed=(Capability.VISION,),
    failures=("test_pictures_stand_in_order",),
)


async def test_show_tells_what_is_proven_of_the_backend(run_server, tmp_path):
    settings = Settings(
        models=tmp_path,
        host="127.0.0.1:0",
        placement="in-process",
        disabled_plugins=("huggingface", "ollama-registry", "web"),
    )
    async with run_server(settings) as client:
        (await client.post("/api/pull", json={"model": "camelid/echo", "stream": False})).raise_for_status()
        assert "backend_standing" not in (await client.post("/api/show", json={"model": "camelid/echo"})).json()
        await asyncio.to_thread(lambda: Proofs(settings.proofs_folder).write(FOUND))
        shown = (await client.post("/api/show", json={"model": "camelid/echo"})).json()
    standing = shown["backend_standing"]
    assert (standing["verified"], standing["failed"]) == (["completion"], ["vision"])
    assert "state-save" in standing["unproven"]
    assert standing["failures"] == ["test_pictures_stand_in_order"]
    assert (standing["models"], standing["stale"]) == (["camelid/echo"], False)
