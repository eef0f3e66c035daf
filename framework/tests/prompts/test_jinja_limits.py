"""Templates that would take all time or memory end soon, and say whose fault it is."""

import tracemalloc

import pytest

from camelid.errors import ModelError
from camelid.prompts.conversation import Conversation
from camelid.prompts.jinja import JinjaTemplate
from camelid.types.messages import Message

CONVERSATION = Conversation(messages=(Message(role="user", content="hi"),))
GROW = "{% set ns = namespace(x='ab', y=[1], z=[1]) %}{% for _ in range(60) %}BODY{% endfor %}"

NEST = "{% set ns = namespace(t=(1,)) %}{% for _ in range(60) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"

GREEDY = {
    "endless loops": "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "filtered loops": "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "recursive loops": "{% for a in range(99) recursive %}{{ loop(range(99)) }}{% endfor %}",
    "recursive macros": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "branching macros": "{% macro f(n) %}{% if n %}{{ f(n - 1) ~ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}",
    "generators": "{{ range(100000)" + " | map('string')" * 60 + " | list | length }}",
    "added text": GROW.replace("BODY", "{% set ns.x = ns.x + ns.x %}"),
    "concatenated text": GROW.replace("BODY", "{% set ns.x = ns.x ~ ns.x %}"),
    "captured text": GROW.replace("BODY", "{% set x %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = x %}"),
    "replaced text": GROW.replace("BODY", "{% set ns.x = ns.x | replace('a', 'aaa') %}"),
    "methods": GROW.replace("BODY", "{% set ns.x = ns.x.replace('a', 'aaa') %}"),
    "joined text": GROW.replace("BODY", "{% set ns.x = ns.x.join(ns.x) %}"),
    "formatted text": GROW.replace("BODY", "{% set ns.x = '%s%s' % (ns.x, ns.x) %}"),
    "braces": GROW.replace("BODY", "{% set ns.x = '{0}{0}'.format(ns.x) %}"),
    "nested lists": GROW.replace("BODY", "{% set ns.y = [ns.y, ns.y] %}") + "{{ ns.y }}",
    "nested JSON": GROW.replace("BODY", "{% set ns.y = [ns.y, ns.y] %}") + "{{ ns.y | tojson }}",
    "compared lists": GROW.replace("BODY", "{% set ns.y = [ns.y, ns.y] %}{% set ns.z = [ns.z, ns.z] %}")
    + "{{ ns.y == ns.z }}",
    "equal lists": GROW.replace("BODY", "{% set ns.y = [ns.y, ns.y] %}{% set ns.z = [ns.z, ns.z] %}")
    + "{{ ns.y is eq(ns.z) }}",
    "changed lists": "{% for i in [1, 2] %}{{ loop.changed(NESTED) }}{% endfor %}",
    "found lists": "{{ [1].index(NESTED) }}",
    "keys": "{{ {NESTED: 1} }}",
    "looked up keys": "{{ {'a': 1}[NESTED] }}",
    "attributes": "{{ 'a' | attr(NESTED) }}",
    "safe lists": "{{ NESTED | safe }}",
    "upper lists": "{{ NESTED | upper }}",
    "views": "{{ {'a': NESTED}.values() }}",
    "refusals": "{{ raise_exception(NESTED) }}",
    "slices": "{% set x = 'ab' * 9999999 %}{% for _ in range(9) %}{% set y = x[1:] %}{% endfor %}",
    "words": "{{ ('ab ' * 9999999).split() }}",
    "cut text": "{{ ('ab' * 9999999).split('a') }}",
    "letters": "{{ ('ab' * 9999999) | list | length }}",
    "multiplied text": "{{ 'a' * 10 ** 9 }}",
    "multiplied lists": "{{ ([0] * 10 ** 9) | length }}",
    "powers": "{{ 10 ** (10 ** 10) }}",
    "products": "{% set ns = namespace(n=3) %}{% for _ in range(60) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "widths": "{{ '%999999999d' % 1 }}",
    "given widths": "{{ '%*d' % (999999999, 1) }}",
    "brace widths": "{{ '{:999999999}'.format(1) }}",
    "given brace widths": "{{ '{:{}}'.format(1, 999999999) }}",
    "long formats": "{{ ('%' * 9999999) % ((),) }}",
    "long brace formats": "{{ (':' * 9999999).format() }}",
    "padding": "{{ 'x'.center(999999999) }}",
    "tabs": "{{ '\t'.expandtabs(999999999) }}",
    "indentation": "{{ ('\n' * 9999) | indent(9999) }}",
    "JSON indentation": "{{ [[[[0]]]] | tojson(indent=999999999) }}",
    "JSON separators": "{{ range(9999) | list | tojson(separators=('x' * 99999, ':')) }}",
    "stripping": "{{ ('a' * 99999).strip('b' * 99999) }}",
    "trimming": "{{ ('a' * 99999) | trim('b' * 99999) }}",
    "rounding": "{{ 1.5 | round(999999999, 'ceil') }}",
    "output": "{% for _ in range(99999) %}" + "x" * 9999 + "{% endfor %}",
}


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("source", GREEDY.values(), ids=GREEDY)
def test_greed_ends(source):
    nested = NEST + source.replace("NESTED", "ns.t") if "NESTED" in source else source
    with pytest.raises(ModelError, match="too much"):
        JinjaTemplate(nested).render(CONVERSATION)


@pytest.mark.parametrize("text", ["('\t' | safe)", "('\t' | escape)", "x"])
@pytest.mark.parametrize("method", ["center(99999999)", "zfill(99999999)", "expandtabs(99999999)"])
def test_what_methods_of_marked_up_text_make_is_refused_before_it_is_made(text, method):
    source = "{% autoescape true %}{% set x %}\t{% endset %}{{ MARKUP.METHOD }}{% endautoescape %}"
    template = JinjaTemplate(source.replace("MARKUP", text).replace("METHOD", method))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="too much"):
            template.render(CONVERSATION)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{{ range(100000000) }}",
        "{{ (1).to_bytes(999999999) }}",
        "{{ {}.fromkeys(range(9)) }}",
        "{{ 'a'.translate({97: 'x'}) }}",
        "{{ 'a'.encode() }}",
        "{{ lipsum(9999) }}",
    ],
)
def test_some_things_are_not_there(source):
    with pytest.raises(ModelError, match="faulty"):
        JinjaTemplate(source).render(CONVERSATION)


def test_a_namespace_keeps_to_itself():
    assert JinjaTemplate(NEST + "{{ ns }}").render(CONVERSATION).text == "<Namespace>"


def test_long_conversations_are_no_greed():
    source = "{% for m in messages %}{{ '<' ~ m.role ~ '>' + m.content | trim + '\n' }}{% endfor %}"
    messages = tuple(Message(role="user", content="x" * 5000) for _ in range(500))
    assert len(JinjaTemplate(source).render(Conversation(messages=messages)).text) == 500 * 5007
