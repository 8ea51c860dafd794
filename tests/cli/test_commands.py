"""What the command line says, and the exit code that each way of ending has."""

import json
import re
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ctxsim import cli, simulation
from ctxsim.cells import process
from ctxsim.cli import main, running
from ctxsim.errors import ExitCode
from ctxsim.report.conclusion import MOST_SEVERE_FIRST, most_severe

PRETEND = Path(__file__).parents[1] / "cells" / "pretend.py"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PROGRAM", PRETEND)
    monkeypatch.chdir(tmp_path)
    for name in ("VIRTUAL_ENV", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def write(folder):
    def write_scenario(word, name="one", more="", workers='[sync, "threads:8"]'):
        path = folder / f"{name}.ctxsim.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"version: 1\nname: {name}\n"
            f"target: {{app: 'pretend:{word}', kind: wsgi}}\n"
            "steps: [{get: '/whoami?tag={canary}'}]\n"
            f"workers: {workers}\nseed: 7\n{more}",
            encoding="utf-8",
        )
        return str(path.relative_to(folder))

    return write_scenario


@pytest.fixture
def call(capfd):
    def call_main(*words):
        code = main(words)
        written = capfd.readouterr()
        return code, written.out, written.err

    return call_main


def last():
    return json.loads(Path(".ctxsim/last.json").read_text(encoding="utf-8"))


ENDINGS = [
    ("clean", "", 0),
    ("leak", "", 1),
    ("leak", "expect: [CTX201]", 0),
    ("import_fails", "", 3),
    ("nothing_compared", "", 4),
    ("failing", "", 4),
    ("leave", "", 4),
    ("clean", "thresholds: {p95: '< 0.1ms'}", 5),
    ("fault", "", 70),
    ("garbage", "", 70),
]


@pytest.mark.parametrize(("word", "more", "code"), ENDINGS)
def test_each_way_of_ending_has_its_exit_code(write, call, word, more, code):
    assert call("run", write(word, more=more), "-q")[0] == code


@pytest.mark.parametrize(("word", "more", "code"), ENDINGS)
def test_json_parses_however_the_run_ended(write, call, word, more, code):
    _, out, _ = call("run", write(word, more=more), "--format", "json")
    assert json.loads(out)["exit_code"] == code
    assert json.loads(out) == last()


def test_the_text_ends_with_verdict_and_exit_code(write, call):
    _, out, _ = call("run", write("leak"))
    assert re.fullmatch(
        r"findings: 2 findings in 2 cells, \d+\.\d s, seed 7, exit 1", out.splitlines()[-1]
    )


def test_the_matrix_shows_a_table(write, call):
    code, out, _ = call("matrix", write("leak_if_threads"))
    assert code == 1
    assert "  workers    app\n  sync       clean\n  threads:8  201\n" in out
    assert "201    a response carried another request's value" in out


def test_an_import_failure_is_told_without_a_traceback(write, call):
    code, out, err = call("run", write("import_fails"), "-q")
    assert (code, out) == (3, "")
    assert err == (
        "error: no module named 'shopp'\n  did you mean 'shop'?\n  full traceback: --verbose\n"
    )


def test_what_an_application_raises_does_not_steer_the_terminal(write, call):
    _, _, err = call("run", write("import_fails_and_steers"), "-q")
    assert "error: shop\\x1b[2Jp\\x00" in err
    assert "see\\x9b1A it" in err
    assert all(each.isprintable() for each in err.replace("\n", ""))


def test_what_a_wrong_scenario_holds_does_not_steer_the_terminal(folder, call):
    (folder / "bad.ctxsim.yaml").write_text("version: 1\nname: \x1b[2J\n", encoding="utf-8")
    for words in (["run", "bad.ctxsim.yaml"], ["validate", "bad.ctxsim.yaml"]):
        code, out, err = call(*words)
        assert code == 2
        assert "\\x1b[2J" in out + err
        assert "\x1b" not in out + err


def test_verbose_shows_the_traceback_of_an_import_failure(write, call):
    _, _, err = call("run", write("import_fails"), "-q", "-v")
    assert "Traceback: as the application gave it" in err


def test_verbose_shows_what_the_application_wrote_with_secrets_masked(write, call):
    _, _, err = call("run", write("chatter", workers="[sync]"), "-v", "-q")
    assert "--- app/sync: the last of stdout\n" in err
    assert "Cookie: ***" in err
    assert "secret" not in err


def test_progress_goes_to_stderr_one_line_for_each_cell(write, call):
    _, out, err = call("run", write("clean"))
    assert sorted(err.splitlines()) == [
        "app/sync: 100 requests",
        "app/threads:8: 100 requests",
    ]
    assert "100 requests\n" not in out


def test_quiet_shows_no_progress(write, call):
    assert call("run", write("clean"), "-q")[2] == ""


def test_options_go_before_the_scenario_s_own_words(write, call):
    words = ("--seed", "9", "--workers", "sync,threads:2", "--workers", "threads:3", "-q")
    call("run", write("clean"), *words, "--requests", "5")
    document = last()
    assert document["seed"] == 9
    assert [cell["workers"] for cell in document["cells"]] == ["sync", "threads:2", "threads:3"]
    assert document["replay"] == (
        "ctxsim run one.ctxsim.yaml --seed 9 --requests 5 --workers sync,threads:2 "
        "--workers threads:3"
    )


def test_the_python_option_names_the_interpreter(write, call):
    path = write("clean")
    assert call("run", path, "--python", sys.executable, "-q")[0] == 0
    code, _, err = call("run", path, "--python", "nowhere/python", "-q")
    assert code == 3
    assert "nowhere/python" in err


def test_fail_fast_leaves_out_the_scenarios_that_follow(write, call):
    first, second = write("leak", "first"), write("clean", "second")
    code, _, _ = call("run", first, second, "--fail-fast", "--jobs", "1", "-q")
    assert code == 1
    assert last()["scenario"]["name"] == "first"


def test_a_cell_may_be_given_less_time_and_memory(write, call):
    path = write("clean", workers="[sync]")
    assert call("run", path, "--timeout", "500ms", "--memory", "2GiB", "-q")[0] == 0
    code, _, _ = call("run", path, "--memory", "1MB", "-q")
    assert code in (0, 3, 4)


@pytest.mark.parametrize(
    ("word", "size_bytes"),
    [("2GiB", 2 * 1024**3), ("512 MiB", 512 * 1024**2), ("1.5gb", 1_500_000_000), ("1MB", 10**6)],
)
def test_sizes_are_read_with_their_units(word, size_bytes):
    assert running.size_bytes(word) == size_bytes


def test_several_scenarios_have_one_result_and_the_most_severe_code(write, call):
    paths = [write("clean", "a"), write("leak", "b"), write("nothing_compared", "c")]
    code, out, _ = call("run", *paths, "-q")
    assert code == 1
    assert out.splitlines()[-4:] == [
        "a.ctxsim.yaml: clean, exit 0",
        "b.ctxsim.yaml: findings, exit 1",
        "c.ctxsim.yaml: inconclusive, exit 4",
        "3 scenarios, exit 1",
    ]
    assert last()["format"] == "ctxsim-results"
    assert [each["exit_code"] for each in last()["results"]] == [0, 1, 4]


def test_a_target_that_does_not_start_does_not_keep_others_from_running(write, call):
    code, _, _ = call("run", write("import_fails", "a"), write("leak", "b"), "-q")
    assert code == 3
    assert [each["verdict"] for each in last()["results"]] == ["error", "findings"]
    assert last()["results"][0]["error"]["message"] == "no module named 'shopp'"


def test_globs_and_folders_are_expanded(write, call):
    write("clean", "deep/one")
    write("clean", "deep/two")
    write("clean", "deep/.hidden/three")
    for words in (["deep"], ["deep/*.ctxsim.yaml"], ["deep", "deep/one.ctxsim.yaml"]):
        assert call("run", *words, "-q", "--workers", "sync")[0] == 0
        assert len(last()["results"]) == 2


def test_junit_is_written_where_the_report_option_says(write, call):
    call("run", write("leak"), "-q", "--report", "junit=reports/ctxsim.xml")
    root = ElementTree.parse("reports/ctxsim.xml").getroot()
    assert root.get("failures") == "2"


def test_a_page_is_written_where_the_report_option_says(write, call):
    call("run", write("leak"), "-q", "--report", "html=reports/ctxsim.html")
    written = Path("reports/ctxsim.html").read_bytes()
    assert b'one: <span class="findings">findings</span>' in written
    assert call("report", "--html", "again.html")[0] == 0
    assert Path("again.html").read_bytes() == written


WRONG = [
    (["rnu"], "error: no such command: rnu\n  did you mean run?"),
    (
        ["zzz"],
        "error: no such command: zzz\n"
        "  there are check, doctor, explain, gallery, init, locust, matrix, replay, report, run, "
        "schema, show, validate",
    ),
    (["run"], "error: SCENARIO... is missing\n  see ctxsim run --help"),
    (["run", "x", "--sede", "1"], "error: no such option: --sede\n  did you mean --seed?"),
    (["run", "x", "--format", "jsn"], "did you mean json?"),
    (["run", "x", "--jobs", "0"], "error: invalid value for '--jobs': 0 is not in the range x>=1"),
    (["run", "missing.yaml"], "missing.yaml:1:1: error: there is no such file"),
    (["run", "*.nothing"], "error: no file matches *.nothing"),
    (["run", "."], "error: no scenario in the folder .\n  they are named *.ctxsim.yaml"),
    (
        ["run", "x", "--report", "pdf=x"],
        "error: --report knows no kind 'pdf'\n  there is: junit, html",
    ),
    (["run", "x", "--report", "junit"], "error: --report 'junit' names no file"),
    (["run", "x", "--report", "junit=."], "error: --report junit=.: . cannot be written"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_a_wrong_command_line_is_told_what_to_write_and_exits_with_2(call, words, message):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "big"], "error: --memory must be a size, not 'big'"),
        (["--memory", "0GiB"], "error: --memory must be a size, not '0GiB'"),
        (["--timeout", "10"], "error: --timeout must be"),
        (["--workers", "thread:8"], "did you mean 'threads:8'?"),
        (["--requests", "0"], "error: 'requests' must be a whole number of at least 1"),
    ],
)
def test_a_wrong_value_runs_nothing_and_exits_with_2(write, call, words, message):
    code, out, err = call("run", write("clean"), *words)
    assert (code, out) == (2, "")
    assert message in err
    assert not Path(".ctxsim").exists()


def test_the_problems_of_all_scenarios_are_told_before_anything_runs(folder, write, call):
    write("clean", "good")
    (folder / "a.ctxsim.yaml").write_text("version: 1\nstepps: []\n", encoding="utf-8")
    (folder / "b.ctxsim.yaml").write_text("version: 7\n", encoding="utf-8")
    code, out, err = call("run", ".", "--format", "json")
    assert code == 2
    assert "a.ctxsim.yaml:2:1: error" in err
    assert "b.ctxsim.yaml:1:" in err
    assert json.loads(out)["exit_code"] == 2


def test_validate_tells_what_is_wrong_on_stdout(folder, write, call):
    good = write("clean", "good")
    assert call("validate", good)[:2] == (0, "good.ctxsim.yaml: ok\n")
    (folder / "bad.ctxsim.yaml").write_text("version: 1\nstepps: []\n", encoding="utf-8")
    code, out, _ = call("validate", ".")
    assert code == 2
    assert "bad.ctxsim.yaml:2:1: error" in out
    assert "good.ctxsim.yaml: ok" in out


def test_schema_prints_the_json_schema(call):
    code, out, _ = call("schema")
    assert code == 0
    assert json.loads(out)["title"] == "ctxsim scenario"


def test_the_command_alone_says_what_it_is_in_a_dozen_lines(call):
    code, out, _ = call()
    assert code == 0
    assert len(out.splitlines()) <= 13
    assert "ctxsim run FILE..." in out


def test_help_of_each_command_says_what_it_does(call):
    for name, command in cli.cli.commands.items():
        code, out, _ = call(name, "--help")
        assert code == 0
        assert command.help.splitlines()[0] in out
    assert "a folder, which means every *.ctxsim.yaml" in " ".join(call("run", "--help")[1].split())


def test_a_fault_of_our_own_is_called_one_and_keeps_its_traceback(write, call, monkeypatch):
    def fail(*_arguments, **_keywords):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(simulation, "conclude", fail)
    code, out, err = call("run", write("clean"), "--format", "json", "-q")
    assert code == 70
    assert "internal error in ctxsim (this is our bug): ZeroDivisionError: oh (test_com" in err
    assert json.loads(out)["error"]["kind"] == "ZeroDivisionError"
    assert "Traceback" in Path(".ctxsim/crash.txt").read_text(encoding="utf-8")


def test_a_fault_is_told_even_where_nothing_can_be_kept(write, call, monkeypatch):
    monkeypatch.setattr(simulation, "conclude", lambda *_: 1 / 0)
    path = write("clean")
    Path(".ctxsim").touch()
    code, _, err = call("run", path, "-q")
    assert code == 70
    assert "Traceback" in err


def test_a_result_that_cannot_be_kept_is_a_warning(write, call):
    path = write("clean")
    Path(".ctxsim").touch()
    code, _, err = call("run", path, "-q")
    assert code == 0
    assert "warning: the result was not kept in .ctxsim/last.json" in err


def test_ctrl_c_before_anything_runs_exits_with_130(write, call, monkeypatch):
    def interrupt(*_arguments, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupt)
    code, out, err = call("run", write("clean"), "--format=json")
    assert code == 130
    assert err.strip() == "interrupted"
    assert json.loads(out)["exit_code"] == 130


def test_signals_mean_what_they_meant_once_the_run_is_over(write, call):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    call("run", write("clean"), "-q")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(
    ("words", "environment", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color_is_decided_by_option_then_no_color_then_force_color(
    write, call, monkeypatch, words, environment, colored
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _, out, _ = call("run", write("clean", workers="[sync]"), "-q", *words)
    assert ("\x1b[" in out) is colored


def test_every_exit_code_of_a_run_has_its_place_in_the_order_of_severity():
    assert set(MOST_SEVERE_FIRST) == set(ExitCode) - {ExitCode.USAGE}
    assert most_severe([0, 5, 4, 1]) is ExitCode.FINDINGS
    assert most_severe([1, 3, 130]) is ExitCode.INTERRUPTED
