from camelid.cli.tables import columns


def test_columns_are_as_wide_as_their_widest_cell_and_four_spaces_apart():
    text = columns([("NAME", "ID"), ("llama3:latest", "365c0bd3c000"), ("x:1", "1")])
    assert text == "NAME             ID\nllama3:latest    365c0bd3c000\nx:1              1\n"


def test_an_indent_is_put_before_each_line():
    assert columns([("a", "b"), ("cc", "")], indent="  ") == "  a     b\n  cc\n"


def test_no_rows_are_no_text():
    assert columns([]) == ""
