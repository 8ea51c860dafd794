"""The folder .ctxsim holds whole files, and git never sees it."""

import os

import pytest

from ctxsim.report.kept import LAST, keep


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_result_is_kept_in_a_folder_that_git_ignores(tmp_path):
    keep(LAST, "{}\n")
    assert (tmp_path / ".ctxsim" / "last.json").read_text() == "{}\n"
    assert (tmp_path / ".ctxsim" / ".gitignore").read_text() == "*\n"


def test_a_later_result_replaces_an_earlier_one_and_leaves_nothing_else(tmp_path):
    keep(LAST, "one")
    keep(LAST, "two")
    assert sorted(os.listdir(tmp_path / ".ctxsim")) == [".gitignore", "last.json"]
    assert LAST.read_text() == "two"


def test_a_result_that_cannot_be_put_in_place_leaves_nothing(tmp_path):
    (tmp_path / ".ctxsim" / "last.json" / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match=r"last\.json"):
        keep(LAST, "two")
    assert sorted(os.listdir(tmp_path / ".ctxsim")) == [".gitignore", "last.json"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / ".ctxsim").touch()
    with pytest.raises(OSError, match=r"\.ctxsim"):
        keep(LAST, "{}")
