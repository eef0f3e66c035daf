import re
from xml.etree import ElementTree as ET

from camelid.bench.measuring import Measured
from camelid.bench.page import html_heading, html_page, html_table
from camelid.bench.plots import Bar, bars, lines, load_plots
from camelid.bench.rounds import Load, Sample
from camelid.bench.summary import summarise


def drawn(plot: str) -> ET.Element:
    """A plot's SVG, if it is well-formed."""
    (svg,) = re.findall("<svg.*?</svg>", plot)
    return ET.fromstring(svg)


def test_everything_is_escaped():
    parts = [
        html_heading("<i>"),
        html_table(["<i>"], [["<i>"]]),
        bars("<i>", [Bar("<i>", 1)]),
        lines("<i>", {"<i>": [1]}),
    ]
    page = html_page("<i>", [("<i>", "<i>")], parts)
    assert "<i>" not in page
    assert page.count("&lt;i&gt;") == 13


def test_each_load_has_a_plot_with_a_bar_for_each_server_and_a_dot_for_each_round():
    loads = Load("distinct", 4), Load("cold", 0)
    samples = [
        Sample(load, target, number, Measured(1.0, 10, first=(0.5,)))
        for load in loads
        for target in ("here", "there")
        for number in (1, 2, 3)
    ]
    plots = load_plots(summarise(samples))
    assert len(plots) == 2
    for plot in plots:
        assert (len(drawn(plot).findall("rect")), len(drawn(plot).findall("circle"))) == (2, 6)


def test_lines_go_from_zero_to_the_most_and_pass_over_what_is_not_there():
    svg = drawn(lines("KL", {"a": [0.0, None, 2.0], "b": [1.0], "c": []}))
    first, second = (path.attrib["d"] for path in svg.findall("path"))
    places = [tuple(map(float, pair.split())) for pair in first[1:].split("L")]
    assert places == [(50, 160), (560, 10)]
    assert second == "M50.0 85.0"


def test_plots_of_zeros_are_plots():
    assert drawn(bars("nothing", [Bar("a", 0.0)])).find("rect").attrib["width"] == "0.0"
    assert drawn(lines("nothing", {"a": [0.0]})).find("path").attrib["d"] == "M50.0 160.0"
