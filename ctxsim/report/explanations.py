"""What each finding means, what usually causes it, and how to fix it.

From `findings.md` beside this module, to which the documentation leads.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("findings.md")
_SECTION = re.compile(r"^## (CTX\d+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")
_TITLE = re.compile(r"\A\*\*.+?\.\*\*\s*", re.DOTALL)


def explanations() -> dict[str, tuple[str, ...]]:
    """The paragraphs for each code, without its title and without marks of Markdown.

    Source is a paragraph of several lines; any other one is of one line.
    """
    page = PAGE.read_text(encoding="utf-8")
    return {code: _paragraphs(text) for code, text in _SECTION.findall(page)}


def _paragraphs(section: str) -> tuple[str, ...]:
    paragraphs: list[str] = []
    # Every second part is what the pattern's group holds.
    for i, part in enumerate(_CODE.split(_TITLE.sub("", section.strip()))):
        if i % 2:
            paragraphs.append(part)
        else:
            unmarked = _LINK.sub(r"\1", part).replace("`", "")
            plain = (" ".join(each.split()) for each in unmarked.split("\n\n"))
            paragraphs += [each for each in plain if each]
    return tuple(paragraphs)
