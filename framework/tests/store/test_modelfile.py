import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.errors import RequestError
from camelid.store.modelfile import Modelfile, decode, parse, write
from camelid.types.messages import Message

COMMAND = (
    'command must be one of "from", "license", "template", "system", "adapter", "draft", "renderer", "parser", '
    '"parameter", "message", or "requires"'
)
ROLE = 'message role must be one of "system", "user", or "assistant"'


def test_every_instruction_has_its_effect():
    found = parse(
        '# the model\nFROM ./model.gguf\nfrom ./mmproj.gguf\nTEMPLATE """{{ .Prompt }}\n"""\n'
        "System one\nSYSTEM two\nADAPTER a.gguf\nADAPTER b.gguf\nDRAFT d.gguf\nRENDERER r\nPARSER p\n"
        "PARAMETER stop <|a|>\nPARAMETER temperature 0.5\nPARAMETER stop <|b|>\nPARAMETER temperature 0.7\n"
        "LICENSE MIT\nLICENSE BSD\nMESSAGE user hi\nMESSAGE assistant ho\nREQUIRES v0.14.0\n"
    )
    assert found == Modelfile(
        from_=("./model.gguf", "./mmproj.gguf"),
        adapters=("b.gguf",),
        draft="d.gguf",
        template="{{ .Prompt }}\n",
        system="two",
        parameters={"stop": ["<|a|>", "<|b|>"], "temperature": 0.7},
        licenses=("MIT", "BSD"),
        messages=(Message(role="user", content="hi"), Message(role="assistant", content="ho")),
        renderer="r",
        parser="p",
        requires="0.14.0",
    )


PARAMETER_SHAPE = "takes a name of letters, digits and _, one blank, and a value"


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("SYSTEM plain", "plain"),
        ("SYSTEM \t  much space   ", "much space"),
        ("SYSTEM ", ""),
        ("SYSTEM a # b", "a # b"),
        ("SYSTEM it's 'single'", "it's 'single'"),
        ('SYSTEM "quoted"', "quoted"),
        ('SYSTEM " kept "  ', " kept "),
        ('SYSTEM "over\n lines"', "over\n lines"),
        ('SYSTEM "with "inner" quotes"', 'with "inner" quotes'),
        ('SYSTEM ""', ""),
        ('SYSTEM """"""', ""),
        ('SYSTEM """three"""', "three"),
        ('SYSTEM """over\n"many"\n lines\n"""\t ', 'over\n"many"\n lines\n'),
        ('SYSTEM """a""""', 'a"'),
        ('SYSTEM "closed" not\nSYSTEM swallowed"', 'closed" not\nSYSTEM swallowed'),
        ("SYSTEM a\rFROM y", "a"),
        ('SYSTEM "a\r\nb"\r\n', "a\r\nb"),
        ("SYSTEM ze\u200bro\x00\x07width", "zerowidth"),
        ('SYSTEM "tab\there"', "tab\there"),
        ("SYSTEM über 🦙", "über 🦙"),
    ],
)
def test_values_are_cut_and_unquoted(text, system):
    assert parse(f"FROM x\n{text}").system == system
    assert parse(f"FROM x\n\t {text}\n# end").system == system


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no FROM line"),
        ("# FROM x", "no FROM line"),
        ("PARAMETER wrong 1", "no FROM line"),
        ("FROM x\nFOO bar", f"(line 2): {COMMAND}"),
        ("FROM x\nFOO\n", f"(line 3): {COMMAND}"),
        ("FROM x\r\n\r\nFROM: y", f"(line 5): {COMMAND}"),
        ("FROM\nx", f"(line 2): {COMMAND}"),
        ("FROMx y", f"(line 1): {COMMAND}"),
        ("1FROM x", f"(line 1): {COMMAND}"),
        ("FROM", "unexpected EOF"),
        ("FROM x\nSYS", "unexpected EOF"),
        ("FROM x\nPARAMETER stop", "unexpected EOF"),
        ("FROM x\nPARAMETER stop\nSYSTEM x", f"unexpected EOF: stop (line 2: PARAMETER {PARAMETER_SHAPE})"),
        ("FROM x\nPARAMETER st-op x", f"unexpected EOF: st (line 2: PARAMETER {PARAMETER_SHAPE})"),
        (
            "FROM x\nMESSAGE user\n",
            "unexpected EOF: user (line 2: MESSAGE takes system, user or assistant, one blank, and a text)",
        ),
        ('FROM x\nSYSTEM "open', "unexpected EOF"),
        ('FROM x\nSYSTEM "', "unexpected EOF"),
        ('FROM x\nSYSTEM """open"', "unexpected EOF"),
        ('FROM x\nSYSTEM """""', "unexpected EOF"),
        ("FROM x\nMESSAGE tool hi", f"(line 2): {ROLE}"),
        ("FROM x\nMESSAGE User hi", f"(line 2): {ROLE}"),
        ("FROM x\nMESSAGE  user hi", f"(line 2): {ROLE}"),
        ("FROM x\nPARAMETER  stop x", "unknown parameter ''"),
        ("FROM x\nPARAMETER Stop x", "unknown parameter 'Stop'"),
        ("FROM x\nPARAMETER num_ctx many", "invalid int value [many]"),
        ("FROM x\nREQUIRES 1.2.x", "requires must be a valid semver (e.g. 0.14.0)"),
        ("FROM x\nREQUIRES 01.2", "requires must be a valid semver (e.g. 0.14.0)"),
        ("FROM x\nREQUIRES 1.2-pre", "requires must be a valid semver (e.g. 0.14.0)"),
    ],
)
def test_what_is_wrong_is_said_in_ollamas_words(text, message):
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("version", ["1", "1.2", "0.14.0", "1.2.3-rc.1", "1.2.3+build.5", "1.2.3-0a+b"])
def test_versions_may_be_short(version):
    assert parse(f"FROM x\nREQUIRES v{version}").requires == version


def test_deprecated_parameters_are_skipped_with_a_warning():
    found = parse("FROM x\nPARAMETER mirostat nonsense\nPARAMETER f16_kv true\nPARAMETER top_k 3")
    assert found.parameters == {"top_k": 3}
    assert found.warnings == (
        "warning: parameter mirostat is deprecated",
        "warning: parameter f16_kv is deprecated",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_may_be_utf8_or_utf16(encoding):
    assert decode("FROM ü🦙".encode(encoding)) == "FROM ü🦙"


@pytest.mark.parametrize("content", [b"FROM \xff", b"\xff\xfeF"])
def test_other_files_are_no_modelfile(content):
    with pytest.raises(RequestError, match="neither UTF-8 nor UTF-16"):
        decode(content)


def test_it_is_written_in_ollamas_order():
    written = write(
        Modelfile(
            from_=("/m", "/p"),
            adapters=("/a",),
            draft="/d",
            template="{{ .Prompt }}",
            system=" spaced",
            parameters={"stop": ["a", "b"], "num_ctx": 10, "temperature": 1.0},
            licenses=("MIT\nof old",),
            messages=(Message(role="user", content='say "hi"\nnow'),),
            renderer="r",
            parser="p",
            requires="1.0.0",
        ),
        ["first", "second"],
    )
    assert written == (
        "# first\n# second\n\nFROM /m\nADAPTER /a\nDRAFT /d\nFROM /p\nTEMPLATE {{ .Prompt }}\n"
        'SYSTEM " spaced"\nRENDERER r\nPARSER p\nREQUIRES 1.0.0\nPARAMETER num_ctx 10\nPARAMETER stop a\n'
        'PARAMETER stop b\nPARAMETER temperature 1\nLICENSE "MIT\nof old"\n'
        'MESSAGE user """say "hi"\nnow"""\n'
    )


TEXT = st.text(alphabet='ab "#\t\n\rüΩ🦙{}:', max_size=30).filter(lambda text: '"""' not in text)
MODELFILES = st.builds(
    Modelfile,
    from_=st.lists(st.text(alphabet="abc/.:", min_size=1), min_size=1, max_size=3).map(tuple),
    template=st.none() | TEXT,
    system=st.none() | TEXT,
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "stop": st.lists(TEXT, min_size=1, max_size=3),
            "num_ctx": st.integers(-(2**63), 2**63 - 1),
            "temperature": st.floats(allow_nan=False, allow_infinity=False),
            "use_mmap": st.booleans(),
        },
    ),
    licenses=st.lists(TEXT, max_size=2).map(tuple),
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=TEXT), max_size=3
    ).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(MODELFILES)
def test_what_is_written_is_read_back(modelfile):
    assert parse(write(modelfile, ["a comment"])) == modelfile


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='FROMfromSYTEPARAstopnumMESGuser01 .\t\n\r"#\x00é', max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    for start in ("", "FROM x\n", 'FROM x\nSYSTEM "'):
        try:
            assert parse(start + text).from_
        except RequestError as error:
            message = str(error)
        else:
            message = "read"
        assert message


def test_reading_stays_linear():
    text = 'FROM x\nSYSTEM "' + "\n" * 300_000 + '"'
    assert len(parse(text).system or "") == 300_000
