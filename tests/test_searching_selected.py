"""In whose lines a search has switched: it is told, and so is what had no line to switch at."""

import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.report.text import render
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

SHOP = """
from flask import Flask, request
from shop import cart
app = Flask(__name__)

@app.get("/cart")
def show():
    return cart.of(request.args["tag"])

@app.get("/name")
def name():
    tag = request.args["tag"]
    return tag
"""
CART = """
def of(tag):
    kept = {"tag": tag}
    return kept["tag"]
"""


@pytest.fixture
def searched(tmp_path):
    def search(schedule, workers="threads:4", names="/cart /name"):
        (tmp_path / "shop").mkdir()
        for name, text in {"__init__": "", "cart": CART, "wsgi": SHOP}.items():
            (tmp_path / "shop" / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        steps = ", ".join(f'{{get: "{each}?tag={{canary}}"}}' for each in names.split())
        path = tmp_path / "searched.yaml"
        path.write_text(
            f'version: 1\ntarget: {{app: "shop.wsgi:app"}}\nsteps: [{steps}]\n'
            f'workers: "{workers}"\nfaults: none\nseed: 7\nschedule: {schedule}\n',
            encoding="utf-8",
        )
        return simulate(Scenario.load(path), options=Options(confirms=False, compare_alone=False))

    return search


def test_modules_and_then_packages_are_told_that_were_selected_by_themselves(searched):
    outcome = searched("{kind: auto, budget: 200}")
    [cell] = outcome.cells
    assert cell.selected.modules == ("shop", "shop.cart", "shop.wsgi")
    assert {"flask", "werkzeug"} <= set(cell.selected.packages)
    assert not {"gevent", "greenlet", "pip"} & set(cell.selected.packages)
    told = " ".join(render(outcome.document).split())
    assert "app/threads:4 switched at lines of shop, shop.cart, shop.wsgi, then of " in told
    assert cell.verdict == "clean"


def test_what_the_scenario_selects_is_told(searched):
    [cell] = searched("{kind: random, budget: 20, select: [shop.cart]}").cells
    assert (cell.selected.modules, cell.selected.packages) == (("shop.cart",), ())


def test_a_route_that_came_to_none_of_these_lines_is_named(searched):
    outcome = searched("{kind: random, budget: 20, select: [shop.cart]}")
    [note] = [each for each in outcome.document.notes if "no switch point" in each]
    assert note.endswith("GET /name came to no switch point: carried in one piece")
    assert outcome.exit_code == 0


@pytest.mark.parametrize("workers", ["sync", "greenlets:4"])
def test_where_lines_are_no_switch_points_none_are_told(workers, searched):
    outcome = searched("{kind: auto, budget: 20}", workers)
    assert outcome.cells[0].selected is None
    assert "switched at lines" not in render(outcome.document)
