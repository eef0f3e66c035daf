"""The generated pages of the reference say what the code says."""

import runpy

import pytest


@pytest.mark.parametrize("page", ["command-line.md", "errors.md", "hooks.md", "settings.md"])
def test_the_page_is_up_to_date(root, page):
    folder = root / "docs" / "reference"
    written = runpy.run_path(str(folder / "generate.py"))["PAGES"][page]()
    assert (folder / page).read_text(encoding="utf-8") == written, "run: python docs/reference/generate.py"
