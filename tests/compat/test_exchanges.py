"""Every exchange of `exchanges/`, against real servers (see README.md)."""

import re
import time
from bisect import bisect_left
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pytest

STRING = r'(?:[^"\\<>&\x00-\x1f\u2028\u2029]|\\.)'
FRACTION = r"(?:\.\d{0,8}[1-9])?"
COUNT = r"[1-9]\d*"
METRICS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
PLACEHOLDERS = {
    "utc": rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d{FRACTION}Z",
    "local": rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d{FRACTION}(?:[+-]\d\d:\d\d|Z)",
    "forever": rf"2[3-9]\d\d-\d\d-\d\dT\d\d:\d\d:\d\d{FRACTION}(?:[+-]\d\d:\d\d|Z)",
    "count": COUNT,
    "counts": rf"{COUNT}(?:,{COUNT})*",
    "number": r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "numbers": r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:,-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)+",
    "text": f"{STRING}*",
    "some-text": f"{STRING}+",
    "metrics": ",".join(f'"{name}":{COUNT}' for name in METRICS),
    "hex12": "[0-9a-f]{12}",
    "hex64": "[0-9a-f]{64}",
    "call-id": "call_[0-9a-z]{8}",
    "path": r"/[^\"\\<>]+",
    "any": "(?s:.*)",
    "newline": r"\n",
}
"""What stands for `<name>` in a pattern."""

WITHIN = re.compile(r"in-(\d+)s")
"""`<in-300s>`: a time with the local offset, so many seconds from now, give or take a minute."""

TOKEN = re.compile(r"<([a-z][a-z0-9-]*)(?::(\w+))?>")


class MismatchError(AssertionError):
    """What was expected, what came, and where they part."""


def tokens(pattern):
    """A pattern's characters and placeholders as regular expressions, in their order."""
    found, end = [], 0
    for match in TOKEN.finditer(pattern):
        found += map(re.escape, pattern[end : match.start()])
        name, group = match.groups()
        within = WITHIN.fullmatch(name)
        if within:
            group = f"within_{within[1]}_at_{match.start()}"
        expression = PLACEHOLDERS["local" if within else name]
        found.append(f"(?P<{group}>{expression})" if group else f"(?:{expression})")
        end = match.end()
    return [*found, *map(re.escape, pattern[end:])]


def fullmatch(pattern, text):
    """The named parts of a text that has a pattern; None if it has not."""
    found = re.fullmatch("".join(tokens(pattern)), text)
    return None if found is None else checked_times(found.groupdict())


def checked_times(groups):
    for name, value in groups.items():
        if name.startswith("within_"):
            wanted = datetime.now(UTC) + timedelta(seconds=int(name.split("_")[1]))
            given = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
            if abs(given - wanted) > timedelta(minutes=1):
                return None
    return groups


def alike(pattern, text):
    """How many characters of a text follow a pattern."""
    parts = tokens(pattern)
    most = bisect_left(range(len(parts) + 1), True, key=lambda count: not re.match("".join(parts[:count]), text)) - 1
    return re.match("".join(parts[:most]), text).end()


def compare(pattern, text, where):
    """The named parts of `text`.

    Raises:
        MismatchError: it does not have the pattern.
    """
    groups = fullmatch(pattern, text)
    if groups is None:
        at = alike(pattern, text)
        raise MismatchError(
            f"{where}expected {pattern}\ngot      {text[:3000]}\n"
            f"alike until {text[max(0, at - 60) : at]!r}, then {text[at : at + 60]!r}"
        )
    return groups


def compare_lines(pattern, text, separator):
    """The same for a stream: a line of the pattern that begins with `+` or `*` may come again."""
    wanted = [(line[:1] if line[:1] in "+*" else "", line.lstrip("+*")) for line in pattern.split(separator) if line]
    *got, rest = text.split(separator)
    assert rest == "", f"the last line has no end: {rest!r}"
    groups, place = {}, 0
    for often, line in wanted:
        seen = 0
        while place < len(got) and (often or not seen):
            found = fullmatch(line, got[place])
            if found is None:
                break
            groups |= found
            place += 1
            seen += 1
        if not seen and often != "*":
            compare(line, got[place] if place < len(got) else "(the end)", f"line {place + 1}")
    if place < len(got):
        raise MismatchError(f"line {place + 1} is more than was expected: {got[place]}")
    return groups


class Run:
    """One exchange on its way."""

    def __init__(self, prepared, stack):
        self.server = prepared.server
        self.facts = dict(prepared.facts)
        self.stack = stack
        self.logged = self.server.log.stat().st_size

    def filled(self, text):
        """A text with `%name%` replaced by what is known of the server, or was captured from an earlier answer."""
        return re.sub(r"%(\w+)%", lambda found: self.facts.get(found[1], found[0]), text)

    def pattern(self, text):
        """The same for a pattern, in whose place no placeholder can come."""
        return self.filled(text).removesuffix("\n")

    def take(self, step):
        """Send a request and look at its answer."""
        method, path = self.filled(step.send).split(" ", 1)
        body = bytes.fromhex(step.body_hex) if step.body_hex else self.filled(step.body).encode()
        if step.client == "reads":
            self.check(step, self.server.http.request(method, path, content=body, headers=step.headers))
        else:
            self.send(step.client, method, path, body)
        if step.log:
            self.wait_for(step.log)

    def send(self, client, method, path, body):
        """Send a request as somebody who is less patient, or more, than to read the whole answer."""
        url = self.server.http.base_url
        connection = self.stack.enter_context(closing(HTTPConnection(url.host, url.port, timeout=20)))
        connection.request(method, path, body)
        if client == "stays":
            answer = self.stack.enter_context(closing(connection.getresponse()))
            assert answer.readline()
        else:
            # Time to be received; the server tells nobody who waits.
            time.sleep(0.2)
        if client == "leaves":
            connection.close()

    def wait_for(self, pattern):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with self.server.log.open(errors="replace") as log:
                log.seek(self.logged)
                if re.search("".join(tokens(pattern)), log.read()):
                    return
            time.sleep(0.05)
        raise MismatchError(f"the server's log never said {pattern}")

    def check(self, step, answer):
        text = answer.content.decode()
        request = f"{step.send} {self.filled(step.body)[:500]}"
        where = f"{request}\nanswered {answer.status_code} {dict(answer.headers)}\n{text[:1500]}\n\n"
        assert answer.status_code == step.status, where
        kind = answer.headers.get("content-type", "")
        if step.type is not None:
            assert kind == step.type, where
        for name, values in step.answer_headers.items():
            found = answer.headers.get_list(name)
            assert sorted(found) == sorted(values), f"{where}\nthe header {name} is {found}, not {values}"
        try:
            if step.answer is not None:
                self.facts |= self.matched(self.pattern(step.answer), text, kind)
        except MismatchError as error:
            raise MismatchError(f"{where}\n{error}") from None
        for each in step.has:
            found = re.search("".join(tokens(self.pattern(each))), text)
            assert found, f"{where}\nnowhere is {each}"
            assert checked_times(found.groupdict()) is not None, f"{where}\nnot the time of {each}"
            self.facts |= found.groupdict()
        for each in step.lacks:
            found = re.search("".join(tokens(self.pattern(each))), text)
            assert not found, f"{where}\nthere should be nothing like {each}, but: {found[0]}"

    def matched(self, pattern, text, kind):
        if kind == "application/x-ndjson":
            return compare_lines(pattern, text, "\n")
        if kind == "text/event-stream":
            return compare_lines(f"{pattern}\n\n", text, "\n\n")
        return compare(pattern, text, "")


def test_exchange(exchange, prepared):
    with ExitStack() as stack:
        run = Run(prepared(exchange.server), stack)
        for step in exchange.steps:
            run.take(step)


def test_every_line_of_the_checklist_is_proven(exchanges):
    named = {claim for exchange in exchanges for claim in exchange.proves}
    missing = [line for line in range(1, 36) if f"22.{line}" not in named]
    assert not missing, f"no exchange proves these lines of section 22: {missing}"


def test_exchanges_have_names_of_their_own(exchanges):
    names = [exchange.id for exchange in exchanges]
    assert len(set(names)) == len(names)


def test_expected_failures_are_exchanges_and_have_reasons(exchanges, known_failures):
    assert set(known_failures) <= {exchange.id for exchange in exchanges}
    assert all(len(reason) > 20 for reason in known_failures.values())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ('{"a":<count>}', '{"a":0}'),
        ('{"a":"<text>"}', '{"a":"<"}'),
        ('{"a":"<text>"}', '{"a":"b","c":"d"}'),
        ('{"at":"<utc>"}', '{"at":"2026-01-02T03:04:05.10Z"}'),
        ('{"at":"<in-300s>"}', '{"at":"2026-01-02T03:04:05.1+02:00"}'),
        ("", "x"),
    ],
)
def test_a_difference_is_seen(pattern, text):
    with pytest.raises(MismatchError):
        compare(pattern, text, "")


@pytest.mark.parametrize("text", ["b\n", "a\n", "a\nb\nb\n", "a\nb\nc\n", "b\na\n"])
def test_a_difference_between_lines_is_seen(text):
    with pytest.raises(MismatchError):
        compare_lines("+a\nb", text, "\n")


def test_a_pattern_gives_its_named_parts():
    assert compare('{"a":"<text:first>","b":[<numbers>]}', r'{"a":"x\"\u003c","b":[1,-2.5e-7]}', "") == {
        "first": r"x\"\u003c"
    }
    assert compare_lines("*z\n+a<count:n>\nb", "a1\na2\nb\n", "\n") == {"n": "2"}
