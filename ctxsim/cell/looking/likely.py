"""Texts that a name suggests: a language, a date or a currency is refused where it is any text."""

from __future__ import annotations

import re

# Two of each, because what one request sets shows only in another that has set something else; and
# such as are seldom an application's own default.
_LIKELY = {
    r"lang(uage)?|locale|hl": ("fr", "nl"),
    r"currency": ("CHF", "NOK"),
    r"country|region": ("FR", "NL"),
    r"time[-_]?zone|tz": ("CET", "EET"),
    r"date|day|since|until": ("2024-02-01", "2024-03-01"),
}
HOW_MANY = 2
_WORD = "(.*[-_. ])?({})([-_. ]?code)?"


def likely(name: str) -> tuple[str, ...]:
    """The texts that may well be taken for what is called `name`; none where any text may be."""
    for words, texts in _LIKELY.items():
        if re.fullmatch(_WORD.format(words), name, re.IGNORECASE):
            return texts
    return ()
