"""Routes that say by their refusal how they would be told who asks, which a library reads."""

import pytest

BASIC = """
import base64
import flask
app = flask.Flask(__name__)
HEADER = "_".join(["HTTP", "AUTHORIZATION"])
names, tokens = set(), {}

def refused(scheme):
    return flask.Response("who?", 401, {"WWW-Authenticate": f"{scheme} realm=all"})

def sent(scheme):
    kind, _, rest = flask.request.environ.get(HEADER, "").partition(" ")
    return rest if kind.lower() == scheme else ""

@app.post("/users")
def users():
    names.add(flask.request.form["username"])
    return "welcome", 201

@app.post("/tokens")
def give():
    name = base64.b64decode(sent("basic")).decode().partition(":")[0]
    if name not in names:
        return refused("Basic")
    tokens["t-" + name] = name
    return {"token": "t-" + name}

@app.post("/login")
def login():
    tokens["t-" + flask.request.form["username"]] = flask.request.form["username"]
    return {"token": "t-" + flask.request.form["username"]}

@app.get("/me")
def me():
    name = tokens.get(sent("bearer"))
    return f"you are {name}" if name else refused("Bearer")
"""


@pytest.mark.parametrize("left_out", ["POST /login", "POST /tokens"])
def test_who_asks_is_said_as_the_refusal_wants_it(look, left_out):
    """By a token that only comes once the name is known, or that came before it was asked for."""
    sight = look(BASIC, unsafe=True, left_out=(left_out,)).finished().sight
    [me] = [each for each in sight.routes if each.route.name == "GET /me"]
    fine = [each for each in me.trials if each.is_good and each.echoes]
    giver = (left_out == "POST /login" and "tokens") or "login"
    assert {dict(each.step.headers)["Authorization"] for each in fine} == {
        f"Bearer {{{giver}.token}}"
    }


@pytest.mark.parametrize("scheme", ["Token", "JWT"])
def test_a_token_is_sent_by_the_word_that_the_refusal_has(look, scheme):
    source = BASIC.replace('sent("bearer")', f'sent("{scheme.lower()}")')
    source = source.replace('refused("Bearer")', f'refused("{scheme}")')
    sight = look(source, unsafe=True).finished().sight
    [me] = [each for each in sight.routes if each.route.name == "GET /me"]
    fine = [each for each in me.trials if each.is_good and each.echoes]
    assert fine
    for each in fine:
        assert dict(each.step.headers)["Authorization"].startswith(f"{scheme} {{")


def test_a_refusal_that_names_no_scheme_is_left_alone(look):
    sight = look(BASIC.replace("{scheme} realm", "Custom realm"), unsafe=True).finished().sight
    [me] = [each for each in sight.routes if each.route.name == "GET /me"]
    assert not any("Authorization" in dict(each.step.headers) for each in me.trials)
