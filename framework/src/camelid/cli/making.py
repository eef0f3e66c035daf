"""Making a model on the server of files that may have to be uploaded first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from camelid.cli.messages import ProgressLine
from camelid.cli.model_sources import ModelSources, read_pieces
from camelid.cli.sizes import short_digest

if TYPE_CHECKING:
    from camelid.cli.client import Client
    from camelid.cli.progress import ProgressDisplay

__all__ = ("make_model",)


def make_model(client: Client, sources: ModelSources, display: ProgressDisplay) -> None:
    """Upload what the server has not, then have it make the model.

    Raises:
        CamelidError: a file cannot be read, or what the server said.
    """
    for digest, path in sources.blobs.items():
        if not client.has_blob(digest):
            _upload(client, digest, path, display)
    for line in client.create(sources.body):
        display.show(line)


def _upload(client: Client, digest: str, path: Path, display: ProgressDisplay) -> None:
    total = path.stat().st_size
    status = f"copying file sha256:{short_digest(digest)}"

    def counted() -> Iterator[bytes]:
        completed = 0
        for piece in read_pieces(path):
            completed += len(piece)
            display.show(ProgressLine(status=status, digest=digest, total=total, completed=completed))
            yield piece

    client.upload(digest, counted())
