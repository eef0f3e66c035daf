from pathlib import Path

from camelid.cli.chat.history import LineHistory


def typed(path: Path, *entries: str) -> None:
    history = LineHistory(path)
    for entry in entries:
        history.store_string(entry)


def test_entries_come_back_newest_first(tmp_path: Path):
    path = tmp_path / "new" / "history"
    typed(path, "one", "two")
    assert list(LineHistory(path).load_history_strings()) == ["two", "one"]
    assert path.read_text() == "one\ntwo\n"


def test_ollamas_own_file_is_read(tmp_path: Path):
    path = tmp_path / "history"
    path.write_text("hello\n/show info\n")
    typed(path, "more")
    assert path.read_text() == "hello\n/show info\nmore\n"


def test_a_message_of_several_lines_stays_one_entry(tmp_path: Path):
    path = tmp_path / "history"
    typed(path, '"""a\nb"""', "pasted\ntext", "single")
    assert list(LineHistory(path).load_history_strings()) == ["single", '"""pasted\ntext"""', '"""a\nb"""']


def test_quotes_on_one_line_open_nothing(tmp_path: Path):
    path = tmp_path / "history"
    typed(path, '"""a"""', "b")
    assert list(LineHistory(path).load_history_strings()) == ["b", '"""a"""']


def test_quotes_that_are_never_closed_lose_nothing(tmp_path: Path):
    path = tmp_path / "history"
    path.write_text('"""\na\nb\n')
    assert list(LineHistory(path).load_history_strings()) == ["b", "a", '"""']


def test_only_a_hundred_lines_are_kept(tmp_path: Path):
    path = tmp_path / "history"
    typed(path, *(str(number) for number in range(99)), '"""x\ny"""')
    lines = path.read_text().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (100, "1", 'y"""')


def test_switched_off_it_writes_nothing(tmp_path: Path):
    path = tmp_path / "history"
    history = LineHistory(path)
    history.writes = False
    history.store_string("secret")
    assert not path.exists()
