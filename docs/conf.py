"""How Sphinx makes a site of these pages: `sphinx-build -W docs build/docs`, without a network."""

import shutil
from pathlib import Path

import camelid
from camelid.scaffold.names import PackageNames
from camelid.scaffold.package import PackageKind, write_package

project = "Camelid"
author = "Camelid's authors"
version = release = camelid.__version__
language = "en"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["**/README.md"]
nitpicky = True

# Links between pages name a page and a heading, as they do where Markdown is read as it is.
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "Camelid"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

# The tutorial begins with what `camelid new backend suffix` writes, and shows files of it.
package = Path(__file__).parents[1] / "build" / "camelid-suffix"
shutil.rmtree(package, ignore_errors=True)
write_package(PackageKind.BACKEND, PackageNames("suffix"), package)
