"""HTML and Markdown that students wrote, made harmless for whoever opens a notebook or a page."""

from __future__ import annotations

import re
from collections.abc import Callable

import nh3

from autograder.text import HARMFUL, stripped

MAX_TAGS = 4_000
"""Angle brackets in one piece of HTML: its parser's time grows with their square.

A pandas frame at its default limits (60 rows, 20 columns) has some 2,700.
"""

_TAGS = set(
    "abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure "
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre s samp small span strong sub summary sup "
    "table tbody td tfoot th thead tr u ul var".split()
)
_ATTRIBUTES = {
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
_DROPPED = set(
    "audio canvas embed iframe math noembed noframes noscript object option script select style "
    "svg template textarea title video xmp".split()
)
"""Elements that go with all that is in them."""
_CLASSES = {"table": {"dataframe"}, "code": {"math"}, "span": {"link"}}
_DATA = re.compile(r"data:(image/(?:png|jpeg));base64,(.*)", re.DOTALL)

_TEX = re.compile(
    r"\\(?=(?:href|require|style|class|cssId|html(?:Data|Class|Id|Style))(?![A-Za-z]))"
)
"""TeX commands with which MathJax makes links and attributes, or loads more of itself."""
_FRAME = re.compile(r"<!-- (?:BEGIN|END) QUESTION -->")
"""Comments that otter writes around written questions."""
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_PATH = r"[\w.-]+(?:/[\w.-]+)*(?:#[\w-]*)?[)\s]"
_TARGET = rf"\s*(?:https?://|#|attachment:|{_PATH})"
_LINK = re.compile(rf"\](?=\((?!{_TARGET})|:(?!{_TARGET}))")
_IMAGE = re.compile(rf"!(?=\[)(?!\[[^\[\]\n]*\]\((?:attachment:[\w.-]+\)|{_PATH}))")


class Sanitiser:
    """Keeps the tables, text and checked pictures of HTML, and nothing that acts.

    There are no scripts, styles, forms, links or addresses in what it returns: an image is data
    or is gone. Of classes only pandas' own and those of rendered Markdown are kept, and no
    ``id``, so that nothing in the surrounding page can be imitated.

    Args:
        picture: Checks a picture: of its MIME type and base64, returns base64 or ``None``.
    """

    def __init__(self, picture: Callable[[str, str], str | None]) -> None:
        self._picture = picture
        self._cleaner = nh3.Cleaner(
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=self._attribute,
            allowed_classes=_CLASSES,
            clean_content_tags=_DROPPED,
            url_schemes={"data"},
            link_rel=None,
        )

    def html(self, text: str) -> str:
        """Return what is harmless of a piece of HTML.

        Returns:
            HTML, or nothing if it shows nothing or had more than ``MAX_TAGS`` tags.
        """
        if text.count("<") > MAX_TAGS:
            return ""
        tidy = self._cleaner.clean(_without_tex(stripped(text)))
        # character references have become characters; one at a time they can be taken out of HTML
        tidy = HARMFUL.sub("", tidy)
        return tidy if "src=" in tidy or re.sub(r"<[^>]*>|\s+", "", tidy) else ""

    def _attribute(self, tag: str, name: str, value: str) -> str | None:
        if name == "src":
            found = _DATA.fullmatch(value)
            data = self._picture(found[1], found[2]) if found else None
            return f"data:{found[1]};base64,{data}" if found and data else None
        if name in {"alt", "scope", "class"}:
            return value
        return value if re.fullmatch("[0-9]{1,4}", value, re.ASCII) else None


def markdown(source: str) -> str:
    """Make a Markdown cell's source harmless in whatever renders it, and keep it Markdown.

    Viewers differ in what is a code block, a formula or raw HTML, so nothing is excepted; the
    changes are such that formulas mean the same and code stays readable:

    - a space comes after ``<`` where a tag, comment or autolink could begin: ``a <b`` and
      ``a < b`` are one formula, and HTML knows no tag that begins with a space;
    - a space breaks links to anything but ``https:``, ``http:``, an attachment, a heading or a
      file beside the notebook, and turns pictures from elsewhere into links;
    - a space breaks TeX commands that make links or attributes.
    """
    tidy = _TAG.sub("< ", _FRAME.sub("", stripped(source)))
    return _IMAGE.sub("! ", _LINK.sub("] ", _without_tex(tidy)))


def _without_tex(text: str) -> str:
    return _TEX.sub(r"\\ ", text)
