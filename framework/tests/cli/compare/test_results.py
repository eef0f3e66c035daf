from camelid.cli.compare.page import comparison_page
from camelid.cli.compare.results import HEAD, Comparison, cells
from camelid.cli.messages import CompareLine
from camelid.services.comparison import Agreement, Compared, Loaded, Position


def compared(text: str, tokens: int, **more: object) -> Compared:
    return Compared(text, "stop", 5, tokens, 120_000_000, 50.25, 98_000_000, **more)


def comparison() -> Comparison:
    found = Comparison(("<why>?", "how?"))
    positions = (Position("a", -0.1, -0.2, same_top=True, divergence=0.001),)
    for line in (
        CompareLine(prompt=0, target=0, loaded=Loaded("m:latest", "one", "lib 1")),
        CompareLine(prompt=0, target=0, text="ab"),
        CompareLine(prompt=0, target=0, text="<c>"),
        CompareLine(prompt=0, target=0, answer=compared("ab<c>", 3, resident_memory=536_000_000)),
        CompareLine(prompt=0, target=1, loaded=Loaded("m:latest", "two", "lib 2")),
        CompareLine(prompt=0, target=1, answer=compared("ax", 2)),
        CompareLine(
            prompt=0,
            target=1,
            agreement=Agreement(False, 1, 1, positions, same_top=0.75, mean_divergence=0.0039, most_divergence=0.018),
        ),
        CompareLine(prompt=0, target=2, loaded=Loaded("other:latest", "two", "lib 2")),
        CompareLine(prompt=0, target=2, answer=compared("a", 1)),
        CompareLine(prompt=0, target=2, agreement=Agreement(False, 1, note="the vocabularies differ")),
        CompareLine(prompt=1, target=0, failure="it broke"),
    ):
        found.take(line)
    return found


def test_lines_add_up_to_results():
    reference, other, alien, broken = comparison().results
    assert (reference.text, reference.name, reference.agreement) == ("ab<c>", "m:latest on one", None)
    assert (other.prompt, broken.prompt) == ("<why>?", "how?")
    assert [len(results) for _, results in comparison().by_prompt()] == [3, 1]
    assert alien.agreement.note


def test_a_result_is_a_line_of_the_table():
    rows = [dict(zip(HEAD, cells(result), strict=True)) for result in comparison().results]
    assert rows[0] | {"SAME TOKENS": "", "KL MEAN": ""} == rows[0]
    assert (rows[0]["FIRST TOKEN"], rows[0]["TOKENS/S"], rows[0]["MEMORY"]) == ("120 ms", "50.2", "536 MB")
    assert (rows[1]["SAME TOKENS"], rows[1]["SAME TOP"], rows[1]["KL MEAN"], rows[1]["KL MOST"]) == (
        "1 of 2",
        "75 %",
        "0.0039",
        "0.018",
    )
    assert rows[1]["MEMORY"] == "98 MB"  # what the backend says, where there is no process to ask
    assert (rows[2]["SAME TOKENS"], rows[2]["KL MEAN"], rows[2][""]) == ("1 characters", "", "the vocabularies differ")
    assert (rows[3]["MODEL"], rows[3][""]) == ("?", "it broke")


def test_a_divergence_without_end_is_told():
    agreement = Agreement(True, 1, 1, (Position("a", -9, -1, same_top=False, divergence=None),), same_top=0.0)
    found = Comparison(("a",))
    found.take(CompareLine(answer=compared("a", 1)))
    found.take(CompareLine(agreement=agreement))
    assert cells(found.results[0])[-3:-1] == ("infinite", "infinite")


def test_the_page_has_tables_texts_and_plots():
    page = comparison_page(comparison())
    assert "&lt;why&gt;" in page
    assert "ab&lt;c&gt;" in page
    assert "<c>" not in page
    assert page.count("<svg") == 4  # first token, speed, memory, divergence; nothing of what broke
    assert page.count("<table") == 4
