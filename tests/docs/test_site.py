"""The site of these pages is built strictly: what refers to nothing fails the build."""

import shutil
import subprocess
import sys
from pathlib import Path


def _build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(folder), str(site)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)


def test_the_site_is_built_and_every_page_is_reached(docs, tmp_path):
    """Sphinx warns of pages that no table of contents names."""
    built = _build(docs, tmp_path / "site")
    assert built.returncode == 0, built.stderr
    pages = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md")}
    assert pages <= {path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*.html")}


def test_each_broken_link_fails_the_build(docs, tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    shutil.copyfile(docs / "conf.py", folder / "conf.py")
    links = "[a](missing.md)\n\n[b](#absent)\n\n[c](other.md#nowhere)"
    (folder / "index.md").write_text(f"# Index\n\n{links}\n\n```{{toctree}}\nother\n```\n")
    (folder / "other.md").write_text("# Other\n")
    built = _build(folder, tmp_path / "site")
    assert built.returncode != 0
    for target in ("missing.md", "absent", "nowhere"):
        assert target in built.stderr
