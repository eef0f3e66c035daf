import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from camelid.errors import DiskFullError
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConversionTask, ConverterDescriptor
from camelid_gguf import converter, plugin
from camelid_gguf.architectures import FAMILIES
from camelid_gguf.writing import FILE_TYPES

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def descriptors() -> dict[str, ConverterDescriptor]:
    """What the plugin registers, by name."""
    found: list[ConverterDescriptor] = []
    plugin.camelid_converters(found.append)
    return {descriptor.name: descriptor for descriptor in found}


def test_each_descriptor_has_its_converter(descriptors):
    assert {name: type(plugin.camelid_converter(name)) for name in descriptors} == {
        "safetensors-to-gguf": converter.SafetensorsToGguf,
        "gguf-merge": converter.MergePieces,
    }
    assert plugin.camelid_converter("other") is None


def test_the_descriptor_says_what_can_be_written(descriptors):
    assert set(descriptors["safetensors-to-gguf"].quantizations) == set(FILE_TYPES)
    assert descriptors["safetensors-to-gguf"].roles == {FileRole.MODEL, FileRole.ADAPTER}
    assert descriptors["gguf-merge"].source == "gguf-split"


def test_importing_the_plugin_loads_nothing_heavy():
    code = "import sys, camelid_gguf.plugin; print([name for name in ('numpy', 'gguf') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_progress_is_told_in_bytes_up_to_the_end(family_folder, tmp_path):
    reports: list[tuple[int, int]] = []
    target = tmp_path / "out.gguf"
    task = ConversionTask(converter="safetensors-to-gguf", folder=str(family_folder("llama")), target=str(target))
    converter.SafetensorsToGguf().convert(task, lambda done, total: reports.append((done, total)))
    assert reports[0][0] == 0
    assert reports == sorted(reports)
    assert len({total for _, total in reports}) == 1
    assert reports[-1][0] == reports[-1][1] < target.stat().st_size


def test_a_full_disk_has_its_own_error(family_folder, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("camelid_gguf.model.write_file", full)
    task = ConversionTask(converter="", folder=str(family_folder("llama")), target=str(tmp_path / "out"))
    with pytest.raises(DiskFullError, match="the disk has no room"):
        converter.SafetensorsToGguf().convert(task, lambda done, total: None)


def test_the_readme_lists_every_family():
    rows = re.findall(r"^\| (`.+`) \| `(.+)` \| (.+) \|$", README.read_text(), re.MULTILINE)
    assert rows == [
        (", ".join(f"`{name}`" for name in family.names), family.gguf, family.example) for family in FAMILIES
    ]
