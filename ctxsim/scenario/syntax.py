"""What is wrong with a text that is no YAML, in our own words instead of the parser's."""

from __future__ import annotations

from ruamel.yaml.error import MarkedYAMLError

from ctxsim.errors import Problem

# What ruamel says -> what we say, and what to write instead.
_SYNTAX = (
    (
        "mapping values are not allowed",
        "a second ': ' in one line, or a line that is indented wrongly",
        "put a text that holds ': ' in quotes, or align the line",
    ),
    (
        "cannot start any token",
        "a value cannot begin with this character",
        "put the text in quotes",
    ),
    (
        "chomping or indentation",
        "'>' and '|' begin a text of several lines here",
        'put it in quotes: ">= 99%"',
    ),
    (
        "while scanning an alias",
        "'*' begins an alias, which must have a name",
        'if a text is meant, put it in quotes: "*"',
    ),
    (
        "expected '<document start>'",
        "this does not belong to what stands above",
        'align it, or put a key that begins with "*" in quotes',
    ),
    (
        "unknown escape character",
        "this escape is not known in double quotes",
        "write \\\\ for a backslash, or use single quotes",
    ),
    ("while scanning a quoted scalar", "a quoted text does not end", "close the quotes"),
    ("while scanning a double-quoted scalar", "a quoted text does not end", "close the quotes"),
    (
        "while parsing a flow",
        "a list or mapping in brackets is not closed, or lacks a comma",
        "write [a, b] or {a: 1, b: 2}",
    ),
    ("could not find expected ':'", "a key lacks its ':'", "write key: value"),
    (
        "while parsing a block",
        "this line is indented otherwise than the ones that it belongs to",
        "align it with them",
    ),
)


def syntax_problem(error: MarkedYAMLError, lines: list[str]) -> Problem:
    """The problem that ended the reading of a text, given its lines."""
    mark = error.problem_mark or error.context_mark
    line = min(mark.line, len(lines) - 1) if mark else 0
    column = min(mark.column, len(lines[line])) if mark else 0
    if lines[line][column : column + 1] == "\t":
        return Problem(line + 1, column + 1, "a tab cannot indent YAML", 1, "write spaces")
    said = f"{error.context} {error.problem}"
    for mark_words, message, suggestion in _SYNTAX:
        if mark_words in said:
            return Problem(line + 1, column + 1, f"this is no YAML: {message}", 1, suggestion)
    return Problem(line + 1, column + 1, f"this is no YAML: {error.problem}")
