"""check, init, doctor and explain: what they print, and what they end with."""

import json
from pathlib import Path

import pytest

from ctxsim.cell.checks import TITLES
from ctxsim.cli import main
from ctxsim.report.explanations import explanations
from ctxsim.scenario import Scenario

ROOT = Path(__file__).parents[2]
APP = """
import flask
app = flask.Flask(__name__)
CACHE = {}
@app.get("/echo/<int:number>")
def echo(number): return flask.request.args["q"]
def write(x): CACHE["x"] = x
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    Path("shown.py").write_text(APP)
    return tmp_path


@pytest.fixture
def call(capfd):
    def call_main(*words):
        code = main(words)
        written = capfd.readouterr()
        return code, written.out, written.err

    return call_main


def test_check_prints_a_report_and_keeps_the_document(call):
    code, out, _ = call("check", "shown:app", "--requests", "100", "--workers", "sync", "-q")
    assert code == 0
    assert "1 of 1 route could be sent" in out
    assert "ctxsim init shown:app" in out
    assert "again: ctxsim check shown:app --seed" in out
    assert json.loads(Path(".ctxsim/last.json").read_text())["scenario"]["name"] == "shown:app"


def test_check_writes_json_also_where_the_target_is_missing(call):
    code, out, _ = call("check", "gone:app", "--format", "json", "-q")
    assert code == 3
    assert json.loads(out)["verdict"] == "error"


@pytest.mark.parametrize(
    "words",
    [
        ("doctor", "http://localhost:8000"),
        ("check", "http://shop.invalid"),
        ("check", "shown:app", "--budget", "soon"),
        ("check", "shown:app", "--report", "paper=x"),
        ("check",),
        ("explain", "CTX999"),
        ("init", "shown:app", "-o", "."),
    ],
)
def test_what_cannot_be_asked_for_is_usage(call, words):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_init_writes_a_scenario_that_runs_as_it_is(call):
    assert call("init", "shown:app")[0] == 0
    scenario = Scenario.load("shown.ctxsim.yaml")
    assert scenario.target.app == "shown:app"
    code, out, _ = call("run", "shown.ctxsim.yaml", "--workers", "sync", "--requests", "60", "-q")
    assert code == 0, out


def test_init_writes_paths_from_the_folder_of_the_file(call):
    Path("sub").mkdir()
    assert call("init", "shown.py", "-o", "sub/it.yaml")[0] == 0
    scenario = Scenario.load("sub/it.yaml")
    assert scenario.target.app == "../shown.py:app"
    assert scenario.target.path == ("..",)
    assert call("run", "sub/it.yaml", "--workers", "sync", "--requests", "60", "-q")[0] == 0


def test_init_overwrites_nothing_unless_it_is_forced(call):
    Path("mine.yaml").write_text("mine")
    code, _, err = call("init", "shown:app", "-o", "mine.yaml")
    assert code == 2
    assert "--force" in err
    assert Path("mine.yaml").read_text() == "mine"
    assert call("init", "shown:app", "-o", "mine.yaml", "--force")[0] == 0


def test_init_writes_to_stdout_where_that_is_asked_for(call):
    code, out, _ = call("init", "shown:app", "-o", "-")
    assert code == 0
    assert Scenario.parse(out).target.app == "shown:app"


def test_doctor_tells_of_the_installation(call):
    code, out, _ = call("doctor")
    assert code == 0
    assert {"ctxsim", "interpreter", "gevent", "cores", "memory"} <= set(out.split())


def test_doctor_tells_what_an_application_runs_on_and_what_looks_shared(call):
    code, out, _ = call("doctor", "shown", "--format", "json")
    told = json.loads(out)
    assert code == 0
    assert told["app"] == "shown:app"
    assert told["facts"]["framework"] == "Flask"
    assert told["facts"]["contexts kept in"] == "context variables"
    assert told["facts"]["patched by gevent"] == "no"
    assert [(each["file"], each["line"]) for each in told["looks_shared"]] == [("shown.py", 7)]


def test_doctor_tells_what_was_patched_and_what_was_imported_before(call):
    Path("shown.py").write_text(f"import ssl, gevent.monkey\ngevent.monkey.patch_time()\n{APP}")
    _, out, _ = call("doctor", "shown", "--format", "json")
    patched = json.loads(out)["facts"]["patched by gevent"]
    assert patched.startswith("time; imported and not patched: ssl")


def test_doctor_cannot_tell_of_what_cannot_be_imported(call):
    assert call("doctor", "gone:app")[0] == 3


@pytest.mark.parametrize("word", ["CTX401", "ctx401", "401"])
def test_explain_tells_of_a_code_however_it_is_written(call, word):
    code, out, _ = call("explain", word)
    assert code == 0
    assert "CTX401  residue" in out
    assert "Reset it in a teardown" in " ".join(out.split())


def test_explain_lists_all_codes(call):
    code, out, _ = call("explain")
    assert code == 0
    assert [line[:6] for line in out.splitlines() if line.startswith("CTX")] == list(TITLES)


def test_explain_suggests_the_code_that_is_meant(call):
    assert "did you mean CTX901?" in call("explain", "CTX991")[2]


def test_every_code_has_an_explanation():
    assert set(explanations()) == set(TITLES)
    assert all(paragraphs and all(paragraphs) for paragraphs in explanations().values())


def test_explain_shows_source_line_by_line(call):
    """Indented as it is written, and not filled up like a paragraph."""
    out = call("explain", "CTX302")[1]
    assert "      def order():\n          threading.Thread(target=mail).start()\n" in out
