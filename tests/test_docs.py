"""What README and docs say is complete, and what they show is what is printed."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ctxsim.cell.checks import GROUPS, TITLES
from ctxsim.cell.plan import WORKER_VARIANTS
from ctxsim.cli import cli
from ctxsim.errors import ExitCode
from ctxsim.report.document import Document
from ctxsim.scenario import Scenario, json_schema

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FINDINGS = ROOT / "ctxsim" / "report" / "findings.md"
PAGES = {path.name: path.read_text() for path in [*(ROOT / "docs").glob("*.md"), FINDINGS]}
ALL = {"README.md": README, **PAGES}
# What `make run` runs; make itself would set up an environment first.
MADE = {"make run": "ctxsim run scenarios/quickstart.yaml"}


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def rows(page: str) -> dict[str, str]:
    """The tables of a page: what stands in the first column, and in the second."""
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    return dict(found)


def named_blocks() -> Iterator[tuple[str, str]]:
    for page in ALL.values():
        for kind in ("python", "yaml"):
            for block in blocks(page, kind):
                if name := re.match(r"# (\S+\.(py|yaml))\n", block):
                    yield name[1], block


def shown_commands() -> Iterator[Any]:
    for page, text in ALL.items():
        for block in blocks(text, "console"):
            command, _, output = block.partition("\n")
            line = command.removeprefix("$ ")
            yield pytest.param(line, output, id=f"{page}: {line}")


def normalised(output: str) -> str:
    """Output without what differs from run to run: numbers, who was first, and line breaks.

    Of what requests failed, where they fail by the thousand, is not always the same either.
    """
    text = re.sub(r"\b(user ?\d+|nobody)\b", "USER", output)
    text = " ".join(re.sub(r"\d[\d,.]*", "N", text).split())
    text = text.replace("N fault was", "N faults were")
    return re.sub(r"\((?:\w+ x N ?)+\)", "(FAILURES)", text)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("line", "output"), list(shown_commands()))
def test_a_shown_command_prints_what_is_shown(console: Any, line: str, output: str) -> None:
    for name, text in named_blocks():
        (console.folder / name).write_text(text)
    ran = console.run(MADE.get(line, line))
    printed = ran.stdout or ran.stderr
    assert normalised(printed) == normalised(output)


def test_make_run_runs_what_the_readme_shows() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^run:.*\n\t@\$\(BIN\)/(.*)$", makefile, re.MULTILINE)
    assert recipe is not None
    assert recipe[1] == MADE["make run"]


def test_the_readme_names_every_command() -> None:
    assert set(cli.commands) == set(re.findall(r"^\| `ctxsim (\w+)", README, re.MULTILINE))


@pytest.mark.parametrize("command", list(cli.commands.values()), ids=lambda command: command.name)
def test_the_readme_names_every_option(command: click.Command) -> None:
    documented = set(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", README))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert set(parameter.opts) <= documented


def test_the_readme_has_exactly_the_exit_codes_that_there_are() -> None:
    codes = [int(number) for number in rows(README) if number.isdigit()]
    assert codes == [code.value for code in ExitCode]


def test_the_readme_has_exactly_the_finding_codes_that_there_are() -> None:
    codes = {code: title for code, title in rows(README).items() if code.startswith("CTX")}
    assert codes == TITLES


def test_every_finding_code_is_explained() -> None:
    explained = re.findall(r"^## (CTX\d+)\n\n\*\*(.+?)\.\*\*", PAGES["findings.md"], re.M | re.S)
    titles = {code: " ".join(title.split()).lower() for code, title in explained}
    assert titles == {code: title.lower() for code, title in TITLES.items()}


@pytest.mark.parametrize("page", ["README.md", "scenario.md"])
def test_every_workers_word_is_documented(page: str) -> None:
    for model, variants in WORKER_VARIANTS.items():
        assert f"`{model}" in ALL[page]
        for variant in variants:
            assert f":{variant}`" in ALL[page]
    assert "`threads:T x greenlets:N`" in ALL[page]


def test_every_group_of_checks_is_documented() -> None:
    for group in GROUPS:
        assert f"`{group}`" in PAGES["scenario.md"]


def test_the_reference_has_exactly_the_keys_that_scenarios_have() -> None:
    table = PAGES["scenario.md"].partition("## Keys")[2].partition("## Placeholders")[0]
    documented = {key.strip("`") for key in rows(table) if key.startswith("`")}
    assert documented == set(keys(json_schema(), json_schema()["$defs"]))


def keys(node: dict[str, Any], known: dict[str, Any], path: str = "") -> Iterator[str]:
    """The keys below a node of the schema, dotted; `[]` for items, `NAME` for any name."""
    if "$ref" in node:
        yield from keys(known[node["$ref"].rpartition("/")[2]], known, path)
    for name, value in node.get("properties", {}).items():
        # What has no description is no key but a rule on one.
        if "description" in value:
            inner = f"{path}.{name}".lstrip(".")
            yield inner
            # The steps of a flow are those of the file.
            if inner != "flows.NAME.steps":
                yield from keys(value, known, inner)
    if isinstance(node.get("items"), dict):
        yield from keys(node["items"], known, f"{path}[]")
    for named in node.get("patternProperties", {}).values():
        yield from keys(named, known, f"{path}.NAME")
    for choice in node.get("anyOf", []):
        yield from keys(choice, known, path)


def test_the_readmes_scenario_has_every_key_that_is_documented() -> None:
    # A server has keys of its own, and stands in a scenario of its own.
    files = ("every-key.yaml", "server.yaml")
    text, of_server = (next(t for n, t in named_blocks() if n == file) for file in files)
    shown = set(re.findall(r"[\w-]+(?=:)", text + of_server))
    documented = {key.rpartition(".")[2] for key in keys(json_schema(), json_schema()["$defs"])}
    # `storage` is for another kind of target, and a step has one method and one body.
    left_out = {
        "storage",
        "steps[]",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "body",
        "duration",
    }
    assert documented - shown <= left_out | {"json"}
    for word in left_out - {"steps[]"}:
        assert word in README


def test_the_readmes_scenario_of_a_server_loads(tmp_path: Path) -> None:
    [text] = [text for name, text in named_blocks() if name == "server.yaml"]
    (tmp_path / "server.yaml").write_text(text)
    assert Scenario.load(tmp_path / "server.yaml").target.kind == "http"


def test_the_readmes_scenario_loads(tmp_path: Path) -> None:
    [text] = [text for name, text in named_blocks() if name == "every-key.yaml"]
    (tmp_path / "every-key.yaml").write_text(text)
    assert Scenario.load(tmp_path / "every-key.yaml").name == "every key"


def test_the_reference_has_exactly_the_members_that_a_result_has() -> None:
    documented = {key.strip("`") for key in rows(PAGES["result.md"]) if key.startswith("`")}
    # Latencies are those of a cell, never of a whole run.
    found = {each for each in members(Document, "") if not each.startswith("timing.latency_s.")}
    assert documented == {"format", "version", *found}


def members(kind: Any, path: str) -> Iterator[str]:
    """The members of a result, dotted; `[]` for items. Of objects, those that may be null."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], f"{path}{field.name}"
        choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        [inner] = [each for each in choices if each is not type(None)] or [hint]
        if typing.get_origin(inner) is tuple:
            name, inner = f"{name}[]", typing.get_args(inner)[0]
            choices = (inner,)
        if not dataclasses.is_dataclass(inner):
            yield name
            continue
        if len(choices) > 1:
            yield name
        yield from members(inner, f"{name}.")
