import base64
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import pytest

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package whose import fails, as pip leaves it on the disk; gives its folder."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(
        distribution: str,
        *,
        files: Mapping[str, bytes] = MappingProxyType({"tiny.gguf": b"GGUF"}),
        models: Mapping[str, str] = MappingProxyType({}),
        licenses: Mapping[str, str] = MappingProxyType({}),
        recorded: bool = True,
    ) -> Path:
        package = distribution.replace("-", "_")
        info = f"{package}-1.0.dist-info"
        entries = "\n".join(f"{name} = {value}" for name, value in models.items())
        names = "".join(f"License-File: {Path(name).name}\n" for name in licenses)
        contents = {
            f"{package}/__init__.py": b"raise RuntimeError('a model package was imported')",
            **{f"{package}/{name}": content for name, content in files.items()},
            f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 1.0\n{names}".encode(),
            f"{info}/entry_points.txt": f"[camelid.models]\n{entries}\n".encode(),
            **{f"{info}/{name}": text.encode() for name, text in licenses.items()},
        }
        record = [
            f"{name},sha256={base64.urlsafe_b64encode(sha256(content).digest()).decode().rstrip('=')},{len(content)}"
            for name, content in contents.items()
        ]
        if recorded:
            contents[f"{info}/RECORD"] = "\n".join(record).encode()
        for name, content in contents.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return site / package

    return install
