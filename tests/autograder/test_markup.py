from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from autograder.markup import MAX_TAGS, Sanitiser, markdown

DATA = "QUJD"


def tidy(text: str) -> str:
    return Sanitiser(lambda kind, data: data if data == DATA else None).html(text)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


HOSTILE_HTML = [
    "<script>alert(1)</script>", "<SCRIPT SRC=//evil.example></SCRIPT>", "<b onclick=alert(1)>b",
    "<svg onload=alert(1)><b>b</b></svg>", "<img src=x onerror=alert(1)>b",
    "<img src='http://evil.example/x.png'>", "<img src='//evil.example/x.png'>",
    "<img src='data:text/html;base64,QUJD'>", "<img src='data:image/svg+xml;base64,QUJD'>",
    "<img src='data:image/png;base64,QUJE'>", "<img srcset='http://evil.example 1x'>",
    "<a href='data:text/html,<script>alert(1)</script>'>b</a>", "<a href=javascript:alert(1)>b</a>",
    "<a href='http://evil.example'>b</a>", "<form action=http://evil.example><input></form>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<object data=x></object><embed src=x>",
    "<b style='background:url(http://evil.example)'>b</b>", "<style>@import 'http://evil'</style>",
    "<link rel=stylesheet href=http://evil.example>", "<meta http-equiv=refresh content='0;url=x'>",
    "<base href=http://evil.example>", "<b id=x class='evil jp-Cell' name=y data-x=1>b</b>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<template><script>1",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<!--><script>x</script>",
    "<td background=http://evil.example>b", "<video src=x></video>", "<details ontoggle=x open>b",
    "<i title='\x1b]'>\" onmouseover=alert(1) x=\"\x07", "<img alt='\x1b[<' src=x>\x1b]\" onload=x",
    "<img alt='&#27;]' src='data:image/png;base64,QUJD'>&#7;\" onload=alert(1) <b>x</b>",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE_HTML)
def test_html_that_acts_or_reaches_out_is_gone(text: str) -> None:
    for tag, attributes in Tags(tidy(f"<p>{text}</p>")).found:
        assert tag in {"p", "b", "td", "i", "img", "table", "tbody", "tr", "details", "mtext"}
        assert set(attributes) <= {"src", "alt"}
        assert attributes.get("src", f"data:image/png;base64,{DATA}").startswith("data:image/png;")


@given(st.lists(st.sampled_from([*HOSTILE_HTML, "</p>", "<p>", '"', "'", "\x07", "\x1b]", "<", ">",
                                 "\u202e", "<table>", "<td>", "&#27;", "&lt;", "="])))  # fmt: skip
def test_no_mixture_of_hostile_html_has_other_tags_or_attributes(parts: list[str]) -> None:
    found = tidy("".join(parts))
    assert "\x1b" not in found and "\u202e" not in found
    for tag, attributes in Tags(found).found:
        assert tag not in {"script", "style", "svg", "a", "iframe", "form", "input"}
        assert set(attributes) <= {"src", "alt", "class"}
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")


def test_a_pandas_frame_stays_a_table() -> None:
    frame = pd.DataFrame({"a<b": [1.5, 2], "group": ["x", "y"]}, index=["one", "two"])
    found = tidy(frame._repr_html_())
    assert '<table class="dataframe">' in found
    assert found.count("<td>") == 4 and "<th>a&lt;b</th>" in found and "style" not in found


def test_html_that_shows_nothing_is_nothing() -> None:
    assert tidy("<div><script>x</script> <br></div>") == ""
    assert tidy(f"<img src='data:image/png;base64,{DATA}'>") != ""


def test_html_whose_parsing_would_take_too_long_is_left_out() -> None:
    assert tidy("<div>" * MAX_TAGS + "x") != "" == tidy("<div>" * (MAX_TAGS + 1) + "x")


HOSTILE_MARKDOWN = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "text <b onclick=x>b</b>",
    "<!-- <b> -->", "<?php ?>", "<![CDATA[x]]>", "</p>", "<\x00script>", "<\u202escript>",
    "$ <script>alert(1)</script> $", "`` ` <script>` ``", "```\n```\n<script>alert(1)</script>",
    "<!-- BEGIN <!-- BEGIN QUESTION -->QUESTION -->",
    "<scr<!-- BEGIN QUESTION -->ipt>", "<<!-- END QUESTION -->script>",
    "[x](javascript:alert(1))", "[x]( javascript:alert(1))", "[x](\njavascript:alert(1))",
    "[x](<javascript:alert(1)>)", "[x](< javascript:alert(1)>)", "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))", "[x](javascript&colon;alert(1))", "[x](java\\script:alert(1))",
    "[x](javascript%3aalert(1))", "[x](vbscript:x)", "[x](data:text/html,x)", "[x](file:///etc)",
    "[x](//evil.example)", "[x][r]\n\n[r]: javascript:alert(1)", "[r]\n\n[r]:\n\tjavascript:x",
    "> [x](\n> javascript:alert(1))", "[r]\n\n> [r]: data:text/html,x", "<javascript:alert(1)>",
    "![x](http://evil.example/x.png)", "![x](<http://evil.example/x.png>)", "![x](//evil.example)",
    "![a [b] c](http://evil.example/x)", "![x][r]\n\n[r]: http://evil.example/x.png",
    "![r]\n\n[r]: http://evil.example/x.png", "[![x](http://evil.example/x)](http://y.example)",
    "![x\n](http://evil.example/x)", "![x](data:image/svg+xml,x)", "!\u202e[x](http://evil.example)",
    "[x]\u200f(javascript:alert(1))", "![`](http://evil.example/`)",
]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE_MARKDOWN)
def test_markdown_holds_no_html_no_foreign_pictures_and_no_links_that_act(source: str) -> None:
    found = markdown(source)
    permissive = MarkdownIt("commonmark", {"html": True})
    permissive.validateLink = lambda url: True  # type: ignore[method-assign]
    for tag, attributes in Tags(permissive.render(found)).found:
        assert tag in {"p", "a", "code", "pre", "blockquote", "br", "ul", "li"}, found
        assert (attributes.get("href") or "http://").startswith("http://")
    assert markdown(found) == found


@pytest.mark.parametrize(
    "source",
    [
        "# Heading\n\nText with *emphasis*, `code` and [a paper](https://arxiv.org/abs/1).",
        "$a < b$ and $$\\sum_{i<3} x_i \\le y[0](t)$$, $p<0.05$, 3<4",
        "![figure](attachment:figure.png) ![figure](images/figure_1.png)",
        "[heading](#heading) [file](data/DATASHEET.md)\n\n[r]: https://a.example/b?c=d\n",
        "```python\nfor i in range(3):\n    x: list[int] = y[1:2]\n```",
    ],
)
def test_honest_markdown_stays_as_it_is(source: str) -> None:
    assert markdown(source) == source


def test_otters_comments_do_not_become_text() -> None:
    assert markdown("<!-- BEGIN QUESTION -->\nWhy?<!-- END QUESTION -->") == "\nWhy?"


def test_formulas_make_no_links() -> None:
    assert markdown(r"$\href{javascript:alert(1)}{x} \classes$") == (
        r"$\ href{javascript:alert(1)}{x} \classes$"
    )
