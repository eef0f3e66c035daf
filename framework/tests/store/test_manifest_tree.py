import pytest

from camelid.errors import CorruptManifestError, DiskFullError, RequestError
from camelid.store.manifest_tree import ManifestFile, ManifestTree, Stamp
from camelid.types.names import ModelName


@pytest.fixture
def tree(tmp_path) -> ManifestTree:
    folder = tmp_path / "manifests"
    folder.mkdir()
    return ManifestTree(folder)


STAMP = Stamp(0, 0, 0, 0)


def name(text: str) -> ModelName:
    return ModelName.parse(text)


def write(tree: ManifestTree, name: ModelName, content: bytes) -> None:
    with tree.prepared(content) as prepared:
        tree.place(prepared, name)
    tree.sync(name)


def shorts(tree: ManifestTree) -> list[str]:
    return [file.name.short for file in tree.files()]


def test_a_manifest_lies_where_ollama_looks_for_it(tree):
    write(tree, name("hf.co/user/model:Q4"), b"{}")
    write(tree, name("llama3"), b"{}")
    assert (tree.folder / "hf.co" / "user" / "model" / "Q4").read_bytes() == b"{}"
    assert (tree.folder / "registry.ollama.ai" / "library" / "llama3" / "latest").read_bytes() == b"{}"
    assert shorts(tree) == ["hf.co/user/model:Q4", "llama3:latest"]
    assert sorted(path.name for path in tree.folder.iterdir()) == ["hf.co", "registry.ollama.ai"]


def test_names_are_found_in_any_case(tree):
    write(tree, name("Llama3:8B"), b"{}")
    found = tree.find(name("lLAMA3:8b"))
    assert found is not None
    assert (found.name, found.path) == (name("Llama3:8B"), str(tree.path(name("Llama3:8B"))))
    assert tree.find(name("LLAMA3")) is None
    assert tree.find(name("REGISTRY.ollama.AI/Library/LLAMA3:8b")) == found


def test_the_exact_spelling_goes_first(tree):
    for text in ("MODEL", "Model", "model"):
        write(tree, name(text), text.encode())
    for text in ("MODEL", "Model", "model"):
        found = tree.find(name(text))
        assert found is not None
        content = tree.read(found)
        assert content is not None
        assert content[0] == text.encode()


def test_parts_that_exist_keep_their_spelling_independently(tree):
    write(tree, name("Bob/Llama3:8B"), b"{}")
    write(tree, name("mistral:LATEST"), b"{}")
    assert tree.spelling(name("llama3:8b")) == name("Llama3:8B")
    assert tree.spelling(name("BOB/new:latest")) == name("Bob/new:LATEST")
    assert tree.spelling(name("other:tag")) == name("other:tag")


def test_only_files_four_deep_with_valid_names_count(tree, tmp_path):
    write(tree, name("good"), b"{}")
    models = tree.folder / "registry.ollama.ai" / "library"
    (models / "shallow").write_bytes(b"{}")
    (models / "good" / "deep").mkdir()
    (models / "good" / "deep" / "tag").write_bytes(b"{}")
    (models / "good" / ".DS_Store").write_bytes(b"{}")
    (models / "ba d").mkdir()
    (models / "ba d" / "latest").write_bytes(b"{}")
    (tree.folder / ".new-123").write_bytes(b"{}")
    assert shorts(tree) == ["good:latest"]


def test_symbolic_links_lead_nowhere(tree, tmp_path):
    outside = tmp_path / "outside" / "library" / "secret"
    outside.mkdir(parents=True)
    (outside / "latest").write_bytes(b"{}")
    write(tree, name("good"), b"{}")
    good = tree.path(name("good"))
    (tree.folder / "host").symlink_to(tmp_path / "outside")
    (good.parent / "tag").symlink_to(outside / "latest")
    assert shorts(tree) == ["good:latest"]
    assert tree.find(name("good:tag")) is None


def test_a_manifest_that_has_gone_is_none_and_one_that_is_no_file_is_corrupt(tree):
    path = tree.path(name("x"))
    assert tree.read(ManifestFile(name("x"), str(path), STAMP)) is None
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(CorruptManifestError, match="x:latest"):
        tree.read(ManifestFile(name("x"), str(path), STAMP))


def test_no_other_name_becomes_a_path(tree):
    for parts in (("..", "b", "c", "d"), ("a", "b", "..", "d"), ("a", "b", "c", "../x"), ("", "b", "c", "d")):
        with pytest.raises(RequestError, match="invalid model name"):
            write(tree, ModelName(*parts), b"{}")


def test_removing_takes_the_empty_folders_along(tree):
    for text in ("bob/one", "bob/two", "llama3"):
        write(tree, name(text), b"{}")
    for text in ("bob/one", "llama3"):
        found = tree.find(name(text))
        assert found is not None
        tree.remove(found)
    assert shorts(tree) == ["bob/two:latest"]
    assert [path.name for path in (tree.folder / "registry.ollama.ai").iterdir()] == ["bob"]
    assert [path.name for path in (tree.folder / "registry.ollama.ai" / "bob").iterdir()] == ["two"]


def test_without_room_the_old_manifest_stays(tree, monkeypatch):
    def refuse(_descriptor: int, _content: memoryview) -> int:
        raise OSError(28, "No space left on device")

    write(tree, name("llama3"), b"old")
    monkeypatch.setattr("camelid.store.durable.os.write", refuse)
    with pytest.raises(DiskFullError):
        write(tree, name("llama3"), b"new")
    monkeypatch.undo()
    assert tree.path(name("llama3")).read_bytes() == b"old"
    assert [path.name for path in tree.folder.iterdir()] == ["registry.ollama.ai"]
