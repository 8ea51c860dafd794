"""What several answers to one request have in common: a template of their words.

A template is learnt from samples, in any order, and fits each of them: a word that differs from
sample to sample is open (None), and samples that differ in how many words they have make no
template. Numbers count as the same unless a template says one of them exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Template = tuple[str | None, ...]

# What stands for a canary or a user's variable in a text: between two characters that no text has.
EDGE = "\x7f"
# Coarse words, so that a path, a date or a token in base64 is one, whatever stands in it.
_BETWEEN = re.compile(r"([\x00-\x20<>\"'&;,(){}\[\]:=|?!#]+)")
_NO_DIGITS = str.maketrans("", "", "0123456789")


def words(text: str) -> tuple[str, ...]:
    """The words of a text, and what stands between them, in turn."""
    return tuple(_BETWEEN.split(text))


def common(one: Template | None, other: Template | None) -> Template | None:
    """What two templates have in common; None where they differ in more than words."""
    if one is None or other is None or len(one) != len(other):
        return None
    if one == other:
        return one
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def all_common(templates: Iterable[Template | None]) -> Template | None:
    """What all of at least one template have in common."""
    several = iter(templates)
    found = next(several)
    for each in several:
        found = common(found, each)
    return found


def without_digits(word: str) -> str:
    return word.translate(_NO_DIGITS)


def numberless(template: Template) -> Template:
    """The template with its numbers left open, so that it fits others in their place."""
    return tuple(word and without_digits(word) for word in template)


def first_difference(template: Template, sample: tuple[str, ...]) -> int:
    """Where `sample` differs from what `template` says; -1 where it fits."""
    if len(template) != len(sample):
        pairs = zip(template, sample, strict=False)
        differing = (i for i, (a, b) in enumerate(pairs) if not _fits(a, b))
        return next(differing, min(len(template), len(sample)))
    for i, (wanted, word) in enumerate(zip(template, sample, strict=True)):
        if wanted is not None and wanted != word and not _fits(wanted, word):
            return i
    return -1


def _fits(wanted: str | None, word: str) -> bool:
    return wanted is None or wanted == word or wanted == without_digits(word)


def is_part(template: Template, sample: tuple[str, ...]) -> bool:
    """Whether a sample is the template without something: its words, in order, and no others."""
    # Every other one is what stands between words, which is otherwise where something is left out.
    left = iter(template[::2])
    return len(sample) < len(template) and all(
        any(_fits(wanted, word) for wanted in left) for word in filter(None, sample[::2])
    )


def nearest(template: Template, sample: tuple[str, ...]) -> Template:
    """The template with the sample's own words wherever they fit."""
    if len(template) != len(sample):
        return template
    pairs = zip(template, sample, strict=True)
    return tuple(word if _fits(wanted, word) else wanted for wanted, word in pairs)


def excerpt(template: Template, at: int, around: int = 6) -> str:
    """The words of a template around one of them, open ones as three dots."""
    part = template[max(0, at - around) : at + around + 1]
    return "".join("..." if word is None else word for word in part)
