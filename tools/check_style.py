"""The checks of STYLE that no other tool makes: sizes, names, comments, words, places.

Usage: check_style.py [FOLDER]     one line for each finding; exit code 1 if there is any

A line that has to break a rule says why, on the line itself: `# ok: reason`, in Markdown
`<!-- ok: reason -->`.
"""

from __future__ import annotations

import ast
import fnmatch
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_FUNCTION_LINES = 50
MOST_MODULE_LINES = 500

TOP_LEVEL = frozenset(
    {
        ".ci", ".git", ".github", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md",
        "benchmarks", "ctxsim", "docs", "pyproject.toml", "scenarios", "tests", "tools",
    }
)  # fmt: skip
DOCS = frozenset({"architecture.md", "gallery.md", "result.md", "scenario.md"})

_EXEMPT = re.compile(r"(#|<!--) ok: \S")
_CHECKED = frozenset({".py", ".md", ".toml", ".yaml", ".yml", ".html", ".sh"})

_VAGUE_MODULE = re.compile(
    r"_?(utils?|helpers?|common|misc|managers?|base|core|handlers?|processors?|engines?"
    r"|factory|factories|constants|stuff|lib|tools)"
)
_VAGUE_CLASS = re.compile(
    r"(Util|Utils|Helper|Common|Misc|Base|Core|Manager|Handler|Processor|Engine|Factory"
    r"|Orchestrator|Coordinator|Controller|Wrapper|Impl|Provider|Service)$"
)
_BANNER = re.compile(r"#\s*([=\-─━*#~_]\s?){8,}")
_DIARY = re.compile(
    r"#.*\b((new|fixed|updated|added|changed|removed): |now (uses?|supports?|returns?)\b"
    r"|previously\b|no longer\b|refactored\b|as requested\b|phase \d|step \d+[:.)]|legacy\b)",
    re.IGNORECASE,
)
# The rules on words leave this file out, because it names what they look for.
_STUB_TALK = (
    "in a real implementation", "in a real system", "in a real world", "in a real app",
    "for now", "simplified version", "simplified implementation", "not implemented",
    "not yet implemented", "mock implementation", "dummy implementation", "would normally",
    "left as an exercise", "your code here",
)  # fmt: skip
_ADVERTISING = (
    "comprehensive", "comprehensively", "robust", "robustly", "robustness", "seamless",
    "seamlessly", "powerful", "production-ready", "enterprise", "cutting-edge",
    "state-of-the-art", "world-class", "blazing", "blazingly", "effortless", "effortlessly",
    "elegant", "elegantly", "sophisticated", "leverage", "leverages", "leveraging", "utilize",
    "utilizes", "utilizing", "best practice", "best practices", "gracefully", "battle-tested",
    "delve",
)  # fmt: skip
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50]")
_HOME = re.compile(r"(?<![\w.])(/(home|Users|work)/\w|/root/\.)|\b[A-Z]:\\Users\\")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule; `line` counts from 1."""

    path: Path
    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


@dataclass(frozen=True)
class Source:
    """One file, read: its lines, and for Python its tree and its comments by line."""

    path: Path
    lines: list[str]
    tree: ast.Module | None = None
    comments: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, text: str) -> Source:
        lines = text.splitlines()
        if path.suffix != ".py":
            return cls(path, lines)
        return cls(path, lines, ast.parse(text), _comments(text))

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        if self.tree is not None:
            yield from (node for node in ast.walk(self.tree) if isinstance(node, kinds))


Broken = Iterator[tuple[int, str]]


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {each.start[0]: each.string for each in tokens if each.type == tokenize.COMMENT}


def long_functions(source: Source) -> Broken:
    for node in source.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert node.end_lineno is not None
        length = node.end_lineno - node.lineno + 1
        if length > MOST_FUNCTION_LINES:
            yield node.lineno, f"{node.name} has {length} lines; at most {MOST_FUNCTION_LINES}"


def long_modules(source: Source) -> Broken:
    if source.tree is not None and len(source.lines) > MOST_MODULE_LINES:
        yield 1, f"{len(source.lines)} lines; at most {MOST_MODULE_LINES}"


def vague_names(source: Source) -> Broken:
    if source.tree is not None and _VAGUE_MODULE.fullmatch(source.path.stem):
        yield 1, f"module {source.path.stem}: say what it is for"
    for node in source.nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        if _VAGUE_CLASS.search(node.name):
            yield node.lineno, f"class {node.name}: say what it is"


def banner_comments(source: Source) -> Broken:
    return _in_comments(source, _BANNER)


def diary_comments(source: Source) -> Broken:
    return _in_comments(source, _DIARY)


def _in_comments(source: Source, pattern: re.Pattern[str]) -> Broken:
    for line, comment in source.comments.items():
        if found := pattern.search(comment):
            yield line, found[0]


def stub_talk(source: Source) -> Broken:
    return _words(source, _STUB_TALK)


def advertising(source: Source) -> Broken:
    return _words(source, _ADVERTISING)


def _words(source: Source, words: tuple[str, ...]) -> Broken:
    if source.path.name == Path(__file__).name:
        return iter(())
    pattern = rf"(?<![\w-])({'|'.join(map(re.escape, words))})(?![\w-])"
    return _in_lines(source, re.compile(pattern, re.IGNORECASE))


def emoji(source: Source) -> Broken:
    return _in_lines(source, _EMOJI)


def machine_paths(source: Source) -> Broken:
    return _in_lines(source, _HOME)


def _in_lines(source: Source, pattern: re.Pattern[str]) -> Broken:
    for line, text in enumerate(source.lines, start=1):
        if found := pattern.search(text):
            yield line, found[0]


def swallowed_exceptions(source: Source) -> Broken:
    for node in source.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        if _is_broad(node) and not _is_passed_on(node):
            yield node.lineno, "a broad except that neither raises nor keeps the exception"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in kinds
    )


def _is_passed_on(handler: ast.ExceptHandler) -> bool:
    nodes = [each for statement in handler.body for each in ast.walk(statement)]
    if any(isinstance(each, ast.Raise) for each in nodes):
        return True
    # Logging it is not enough: the program would go on as if nothing had happened.
    logged = {id(part) for each in nodes if _is_logging(each) for part in ast.walk(each)}
    return any(
        isinstance(each, ast.Name) and each.id == handler.name and id(each) not in logged
        for each in nodes
    )


def _is_logging(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and bool(re.search(r"log|print|warn", ast.unparse(node.func)))


RULES: dict[str, Callable[[Source], Broken]] = {
    "long function": long_functions,
    "long module": long_modules,
    "vague name": vague_names,
    "banner comment": banner_comments,
    "diary comment": diary_comments,
    "stub talk": stub_talk,
    "advertising word": advertising,
    "emoji": emoji,
    "swallowed exception": swallowed_exceptions,
    "path of a machine": machine_paths,
}


def check(path: Path, text: str) -> list[Finding]:
    """The findings of one file."""
    source = Source.of(path, text)
    return [
        Finding(path, line, rule, what)
        for rule, broken in RULES.items()
        for line, what in broken(source)
        if not _EXEMPT.search(source.lines[line - 1])
    ]


def misplaced(root: Path, ignored: frozenset[str]) -> Iterator[Finding]:
    """Files at the top and in docs/ that the allow lists do not have."""
    for folder, allowed in ((root, TOP_LEVEL), (root / "docs", DOCS)):
        for path in _entries(folder, ignored) if folder.is_dir() else ():
            if path.name not in allowed:
                what = "not in the allow list of tools/check_style.py"
                yield Finding(path.relative_to(root), 1, "misplaced file", what)


def twice_named(root: Path, paths: Iterable[Path]) -> Iterator[Finding]:
    """Test modules of one name in two folders, of which pytest collects the first alone."""
    known: dict[str, Path] = {}
    for path in paths:
        first = known.setdefault(path.name, path)
        if path != first and fnmatch.fnmatch(path.name, "test_*.py"):
            what = f"pytest takes it for {first.relative_to(root)}"
            yield Finding(path.relative_to(root), 1, "name of two tests", what)


def files(folder: Path, ignored: frozenset[str]) -> Iterator[Path]:
    """The files that are checked: those with words in them, but for what git ignores."""
    for path in _entries(folder, ignored):
        if path.is_dir():
            yield from files(path, ignored)
        elif path.suffix in _CHECKED or _is_script(path):
            yield path


def _is_script(path: Path) -> bool:
    with path.open("rb") as opened:
        return path.name == "Makefile" or opened.read(2) == b"#!"


def _entries(folder: Path, ignored: frozenset[str]) -> list[Path]:
    patterns = {".git", *ignored}
    return [
        path
        for path in sorted(folder.iterdir())
        if not any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
    ]


def main(root: Path) -> int:
    """Print what is found below `root`; 1 if there is anything."""
    ignored = frozenset(each.strip("/") for each in (root / ".gitignore").read_text().split())
    paths = list(files(root, ignored))
    found = [*misplaced(root, ignored), *twice_named(root, paths)]
    for path in paths:
        found += check(path.relative_to(root), path.read_text())
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2])))
