"""`ctxsim gallery`: the list, one entry with its story, and contradictions."""

from __future__ import annotations

from typing import Any

import pytest

from ctxsim.gallery import entries


def test_the_list_names_every_entry_with_its_codes_and_workers(console: Any) -> None:
    ran = console.run("ctxsim gallery")
    assert ran.code == 0
    for entry in entries():
        assert f"{entry.name}  {' '.join(entry.codes)}" in ran.stdout
        assert f"shows with {', '.join(entry.shows)}"[:60] in ran.stdout


def test_what_needs_a_download_is_marked_and_can_be_left_out(console: Any) -> None:
    listed = console.run("ctxsim gallery --no-download").stdout
    assert "downloads packages" not in listed
    with_packages = [each for each in entries() if each.packages is not None]
    assert console.run("ctxsim gallery").stdout.count("downloads packages") == len(with_packages)
    only = console.run("ctxsim gallery --download").stdout
    assert only.count("downloads packages") == len(with_packages)
    assert f"{len(with_packages)} entries" in only


def test_an_entry_is_run_and_told_with_its_story(console: Any) -> None:
    line = "ctxsim gallery template-globals --workers threads:4 --seed 3"
    ran = console.run(line)
    assert ran.code == 0, ran.stdout
    assert "CTX201  a response carried another request's value" in ran.stdout
    assert "as expected" in ran.stdout
    assert f"again: {line.replace('-g', '_g')}" in " ".join(ran.stdout.split())


def test_the_fixed_twin_is_clean(console: Any) -> None:
    ran = console.run("ctxsim gallery template_globals --fixed --workers threads:4 --seed 3")
    assert ran.code == 0, ran.stdout
    assert "clean: 0 findings" in ran.stdout
    assert "again: ctxsim gallery template_globals --fixed" in " ".join(ran.stdout.split())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no-such-entry", "has no entry 'no-such-entry'"),
        ("template_globals --all", "a name goes with neither --all nor --table"),
        ("--all --table", "are two things"),
        ("--fixed", "are for one entry"),
    ],
)
def test_what_cannot_be_is_refused(console: Any, line: str, told: str) -> None:
    ran = console.run(f"ctxsim gallery {line}")
    assert ran.code == 2
    assert told in ran.stderr
