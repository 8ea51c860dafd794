"""A case as a test for pytest: one file, which fails as long as what was found can be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ctxsim.report.cases import CaseFile
from ctxsim.report.lanes import hanging
from ctxsim.report.lines import wrapped
from ctxsim.report.masks import mask

_TEST = '''r"""{code}: {title}.

{story}

Written by `ctxsim replay {id} --emit-test`.
"""

from pathlib import Path

import pytest

from ctxsim.replaying import shown_again

FOLDER = Path(__file__).parent / {folder!r}
CASE = r"""
{case}"""


def test_{name}():
    story = shown_again(CASE, folder=FOLDER)
    if story:
        pytest.fail("\\n".join(story), pytrace=False)
'''
_QUOTES = '"""'


def as_test(case: CaseFile, path: Path) -> str:
    """The text of the file at `path`; where the scenario is, it says from there.

    It holds no path of this machine, nor its interpreter: tests run on others.
    """
    folder = os.path.relpath(case.scenario["folder"], path.absolute().parent)
    case = replace(case, scenario={**case.scenario, "folder": "."}, python="")
    lines = (" ".join(mask(line).splitlines()) for line in case.story)
    # Lines of somebody's source, in a docstring of ours.
    story = ("".join(c for c in line if c.isprintable()) for line in lines)
    quoted = (line.replace(_QUOTES, "'''") for line in story)
    return _TEST.format(
        code=case.code,
        title=case.title,
        story="\n".join(_folded(quoted)),
        id=case.id,
        folder=folder,
        # JSON knows another way to write a quote, so that three in a row end no text.
        case=case.as_text().replace(_QUOTES, r"\u0022\u0022\u0022"),
        name=re.sub(r"\W+", "_", f"{case.title}_{case.id}").strip("_").lower(),
    )


def _folded(story: Iterable[str]) -> Iterator[str]:
    """What is too wide goes on beneath its own text, as where a story is shown."""
    for line in story:
        yield from wrapped(line, hanging=hanging(line))
