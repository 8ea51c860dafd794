"""What each finding means, what usually causes it, and how to fix it, from one page of text.

`findings.md` beside this module is also what the documentation shows: docs/findings.md.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("findings.md")
_SECTION = re.compile(r"^## (CTX\d+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"\A\*\*.+?\.\*\*\s*", re.DOTALL)


def explanations() -> dict[str, tuple[str, ...]]:
    """The paragraphs for each code, without its title and without marks of Markdown."""
    page = PAGE.read_text(encoding="utf-8")
    return {code: _paragraphs(text) for code, text in _SECTION.findall(page)}


def _paragraphs(section: str) -> tuple[str, ...]:
    text = _TITLE.sub("", section.strip())
    plain = (" ".join(each.replace("`", "").split()) for each in text.split("\n\n"))
    return tuple(each for each in plain if each)
