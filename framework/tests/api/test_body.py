import msgspec
import pytest

from camelid.api import body
from camelid.api.body import decode, read_body
from camelid.api.ollama.chat import ChatBody
from camelid.errors import RequestCancelledError, RequestError, RequestTooLargeError


class InnerBody(msgspec.Struct):
    text: str = ""
    count: int = 0


class SampleBody(msgspec.Struct):
    model: str = ""
    stream: bool = True
    number: int = 0
    ratio: float = 0.0
    anything: object = None
    tokens: tuple[int, ...] = ()
    names: list[str] = []
    inner: InnerBody | None = None
    inners: tuple[InnerBody, ...] = ()
    files: dict[str, str] = {}
    options: dict[str, object] = {}
    renamed: str = msgspec.field(name="$renamed", default="")


def sample(text: str | bytes) -> SampleBody:
    return decode(text.encode() if isinstance(text, str) else text, SampleBody)


def message_of(text: str | bytes) -> str:
    with pytest.raises(RequestError) as caught:
        sample(text)
    assert caught.value.status == 400
    return caught.value.message


def test_an_integer_beyond_all_floats_is_none():
    assert message_of(f'{{"ratio": 1{"0" * 400}}}').startswith("json: cannot unmarshal number")


@pytest.mark.parametrize("text", ["", "  \r\n\t"])
def test_an_empty_body_is_missing(text):
    assert message_of(text) == "missing request body"


def test_all_kinds_of_fields_are_read():
    assert sample(
        """{"model": "m", "stream": false, "number": -3, "ratio": 2, "anything": [1, null], "tokens": [1, 2],
            "names": ["a"], "inner": {"text": "t", "count": 4}, "inners": [{"count": 1}, {}], "files": {"f": "d"},
            "options": {"x": null}, "$renamed": "r"}"""
    ) == SampleBody(
        model="m",
        stream=False,
        number=-3,
        ratio=2.0,
        anything=[1, None],
        tokens=(1, 2),
        names=["a"],
        inner=InnerBody("t", 4),
        inners=(InnerBody(count=1), InnerBody()),
        files={"f": "d"},
        options={"x": None},
        renamed="r",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"MODEL": "m"}', SampleBody(model="m")),
        ('{"inner": {"Text": "t"}}', SampleBody(inner=InnerBody("t"))),
        ('{"model": "a", "model": "b"}', SampleBody(model="b")),
        ('{"model": "a", "Model": "b"}', SampleBody(model="b")),
        ('{"model": "a", "MODEL": null}', SampleBody(model="a")),
        ('{"unknown": {"deep": [1]}, "model": "m"}', SampleBody(model="m")),
        ('{"stream": null, "tokens": null, "inner": null}', SampleBody()),
        (
            '{"names": ["a", null], "tokens": [null], "inners": [null]}',
            SampleBody(names=["a", ""], tokens=(0,), inners=(InnerBody(),)),
        ),
        ("null", SampleBody()),
        ('{"model": "m"} and {more', SampleBody(model="m")),
        ('{"model": "m"}{"model": "n"}', SampleBody(model="m")),
        (b'{"model": "\xff"}', SampleBody(model="\ufffd")),
        (r'{"model": "\ud800x\ud83d\ude00"}', SampleBody(model="\ufffdx😀")),
        (r'{"model": "\\ud800 \udc00"}', SampleBody(model="\\ud800 \ufffd")),
    ],
)
def test_go_reads_it_like_this(text, expected):
    assert sample(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"stream": "yes"}', "json: cannot unmarshal string into Go struct field SampleRequest.stream of type bool"),
        ('{"model": 1}', "json: cannot unmarshal number into Go struct field SampleRequest.model of type string"),
        ('{"model": true}', "json: cannot unmarshal bool into Go struct field SampleRequest.model of type string"),
        ('{"model": {}}', "json: cannot unmarshal object into Go struct field SampleRequest.model of type string"),
        ('{"number": 1.5}', "json: cannot unmarshal number 1.5 into Go struct field SampleRequest.number of type int"),
        ('{"number": 1.0}', "json: cannot unmarshal number 1.0 into Go struct field SampleRequest.number of type int"),
        ('{"number": true}', "json: cannot unmarshal bool into Go struct field SampleRequest.number of type int"),
        ('{"tokens": 1}', "json: cannot unmarshal number into Go struct field SampleRequest.tokens of type []int"),
        ('{"tokens": ["a"]}', "json: cannot unmarshal string into Go struct field SampleRequest.tokens of type int"),
        (
            '{"inners": "a"}',
            "json: cannot unmarshal string into Go struct field SampleRequest.inners of type []api.Inner",
        ),
        (
            '{"inners": ["a"]}',
            "json: cannot unmarshal string into Go struct field SampleRequest.inners of type api.Inner",
        ),
        (
            '{"inners": [{"text": []}]}',
            "json: cannot unmarshal array into Go struct field SampleRequest.inners.text of type string",
        ),
        (
            '{"options": []}',
            "json: cannot unmarshal array into Go struct field SampleRequest.options of type map[string]interface {}",
        ),
        (
            '{"files": {"a": 1}}',
            "json: cannot unmarshal number into Go struct field SampleRequest.files of type string",
        ),
        ('{"$Renamed": 1}', "json: cannot unmarshal number into Go struct field SampleRequest.$renamed of type string"),
        ("[]", "json: cannot unmarshal array into Go value of type api.SampleRequest"),
        ('"text"', "json: cannot unmarshal string into Go value of type api.SampleRequest"),
        ("1", "json: cannot unmarshal number into Go value of type api.SampleRequest"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ('{"model": "m"', "unexpected EOF"),
        ("\ufeff{}", "invalid character 'ï' looking for beginning of value"),
        ('{"options": {"top_p": 1e999}}', "json: number out of range"),
        ("[" * 100_000, "exceeded max depth"),
        ("[" * 5_000 + "]" * 5_000, "exceeded max depth"),
    ],
)
def test_what_is_wrong_is_said_in_gos_words(text, message):
    assert message_of(text) == message


def test_structs_may_nest_only_so_deep():
    deep = '{"properties":{"a":' * 350 + "{}" + "}}" * 350
    with pytest.raises(RequestError, match="exceeded max depth"):
        decode(b'{"tools":[{"function":{"parameters":%b}}]}' % deep.encode(), ChatBody)


def test_integers_are_those_of_64_bits():
    assert sample(f'{{"number": {2**63 - 1}}}').number == 2**63 - 1
    assert message_of(f'{{"number": {2**63}}}').startswith("json: cannot unmarshal number 9223372036854775808 into")
    assert message_of('{"ratio": 1e999}').startswith("json: ")


def receiving(*pieces: bytes, complete: bool = True):
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if complete:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})
    remaining = iter(messages)

    async def receive():
        return next(remaining)

    return receive


@pytest.mark.parametrize("length", [1, 1_000_000])
async def test_a_body_arrives_in_pieces(length):
    receive = receiving(b'{"mod', b'el": "' + b"x" * length, b'"}')
    assert await read_body(receive, SampleBody) == SampleBody(model="x" * length)


async def test_a_client_that_leaves_while_it_sends_is_noticed():
    with pytest.raises(RequestCancelledError):
        await read_body(receiving(b"{", complete=False), SampleBody)


async def test_a_body_that_is_too_large_ends_where_it_becomes_so(monkeypatch):
    monkeypatch.setattr(body, "LARGEST_BODY", 10)
    left = receiving(b"x" * 6, b"x" * 5, b"never read")
    with pytest.raises(RequestTooLargeError, match="more than 10 bytes: send less at once") as refused:
        await read_body(left, SampleBody)
    assert refused.value.status == 413
    assert (await left())["body"] == b"never read"
