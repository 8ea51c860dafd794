"""What each key refuses, alone and beside others."""

from __future__ import annotations

import pytest

from ctxsim import Scenario, ScenarioError

HEAD = "version: 1\ntarget: {app: shop:app}\n"
STEPS = "steps: [{get: /}]\n"
VARS = 'users: {vars: {name: "user{n}", same: same, id: "{n}", pin: "00{n}"}}\n'


def _problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text)
    return [f"{each.message} | {each.suggestion}" for each in caught.value.problems]


TOP = {
    "seed: 1.5": "'seed' must be a whole number, not the number 1.5",
    "seed: '1'": "'seed' must be a whole number, not the text '1'",
    "seed: true": "'seed' must be a whole number, not true",
    "name: [a]": "'name' must be a text, not a list",
    'name: ""': "'name' must be one line of 1 to 200 characters",
    'name: "a\\nb"': "'name' must be one line of 1 to 200 characters",
    "users: 3": "'users' must be a mapping of names to values, not the number 3",
    "users:": "'users' has no value",
    "users: {count: 70000}": "'users.count' must be at most 65535",
    "users: {visitor: 'yes'}": "'users.visitor' must be true or false, not the text 'yes'",
    "users: {visitor: 1}": "'users.visitor' must be true or false, not the number 1",
    "users: {parallel: 0}": "'users.parallel' must be at least 1",
    "users: {vars: {a b: x}}": "'users.vars.a b' must be a name of letters",
    "users: {vars: {a: true}}": "'users.vars.a' must be a text, not true",
    "users: {vars: {a: '{canary}'}}": "'{canary}'; a variable can hold only {n}",
    "faults: some": "'faults' must be none or a mapping, not the text 'some'",
    "faults: {error: 1}": "'faults.error' must be a percentage, not the number 1",
    "faults: {error: 0.5}": "'faults.error' must be a percentage, not the number 0.5",
    "faults: {abort: -1%}": "'faults.abort' must be a percentage, not the text '-1%'",
    "faults: {abort: 101%}": "'faults.abort' cannot be 101%; all requests are 100%",
    "faults: {error: 60%, abort: 60%}": "'faults' add up to more than all requests",
    "workers: []": "'workers' is empty",
    "workers: [sync, sync]": "'sync' stands twice in 'workers'",
    "workers: threads": "'threads' does not say how many",
    "workers: 8": "'workers' must be a word, not the number 8",
    "workers: threads:8:copyed": "did you mean 'threads:8:copied'?",
    "workers: threads:999999": "'workers' cannot carry more than 100,000 requests at once",
    "workers: threads:99999999999999999999": "'workers' cannot carry more than 100,000",
    "load: {}": "'load' is empty",
    "load: {requests: 0}": "'load.requests' must be at least 1",
    "load: {requests: 1k}": "'load.requests' must be a whole number, not the text '1k'",
    "load: {requests: 1, duration: 1s}": "'load' has both 'requests' and 'duration'",
    "load: {duration: 0s}": "'load.duration' must be more than nothing and at most a day",
    "load: {duration: 3h}": "'load.duration' must be a duration with its unit",
    "load: {rate: 500/s}": "'load.rate' is for servers in this version",
    "connections: none": "'connections' is for servers",
    "checks: []": "'checks' is empty",
    "checks: [CTX999]": "'checks' must be a finding code or a group",
    "checks: contxts": "did you mean 'contexts'?",
    "shared: [1]": "'shared' must be a route or module:attribute, not the number 1",
    "shared: /x": "'shared' must be a list, not the text '/x'",
    "expect: clear": "did you mean 'clean'?",
    "expect: []": "'expect' names no code",
    "expect: [CTX504]": "did you mean 'CTX503'?",
    "expect: [contexts]": "'expect' must be a finding code such as CTX201",
    "expect: {}": "'expect' is empty",
    "expect: {sync: clean}": "names no cell with the text 'sync'",
    "expect: {'*/threads:9': clean}": "'*/threads:9' matches no cell of this scenario",
    "expect: {'contextvars/sync': clean}": "did you mean 'contextvar'?",
    "thresholds: {p95: '> 3s'}": "'thresholds.p95' must be a limit of a latency",
    "thresholds: {checked: '>= 199%'}": "'thresholds.checked' must be a limit of a percentage",
    "thresholds: {p59: '< 3s'}": "did you mean 'p99'?",
    "schedule: dfs": "must be one of os, auto, random, pct",
    "schedule: {kind: auto, budget: soon}": "must be a number of executions or a duration",
    "schedule: {kind: pct, depth: 0}": "'schedule.depth' must be at least 1",
    "schedule: {granularity: word}": "must be one of line, opcode",
    "schedule: {select: [shop/cart]}": "must be the name of a module",
    "keeps: [/wall]": "'keeps' must be a module or module:attribute",
    "keeps: [1]": "'keeps' must be a module or module:attribute, not the number 1",
    "probes: [x]": "'probes' must be a function as module:attribute",
    "zzzz: 1": "unknown key 'zzzz' | known here: version, name, target",
    "flows: {buy: {steps: [{get: /}]}}": "'flows' stands beside 'steps'",
}


@pytest.mark.parametrize("line", TOP)
def test_a_wrong_value_of_a_top_level_key_is_refused(line: str) -> None:
    """One wrong line gives one problem, which names the key and what it must be."""
    [problem] = _problems(f"{HEAD}{STEPS}{line}\n")
    assert TOP[line] in problem


TARGETS = {
    "{}": "'target.app' is missing",
    "shop:app": "'target' must be a mapping of names to values, not the text 'shop:app'",
    "{app: }": "'app' has no value",
    "{app: shop.wsgi}": "did you mean shop.wsgi:app?",
    "{app: 'shop:make(1)'}": "'target.app' must be module:attribute",
    "{app: 'http://x'}": "'target.app' cannot be a URL",
    "{app: 5}": "'target.app' must be an import string, not the number 5",
    "{app: a:b, kind: http}": "'target.app' is for what ctxsim imports",
    "{app: a:b, kind: flask}": "'target.kind' must be one of auto, runtime, wsgi, asgi",
    "{app: a:b, env: {A=: b}}": "'target.env.A=' names no environment variable",
    "{app: a:b, env: {A: true}}": "'target.env.A' must be a text, not true",
    "{app: a:b, kind: asgi, storage: thread}": "'target.storage' is for runtime targets",
    "{app: a:b, url: 'http://localhost'}": "'target.url' is for servers",
    "{app: a:b, path: [1]}": "'target.path' must be a text, not the number 1",
    "{app: a:b, python: 3.11}": "'target.python' must be a text, not the number 3.11",
    "{app: a:b, storage: []}": "'target.storage' is empty",
    "{app: a:b, storage: [thread, thread]}": "'thread' stands twice in 'storage'",
    "{app: a:b, storage: threads}": "did you mean 'thread'?",
    "{app: a:b, kind: wsgi, storage: thread}": "'target.storage' is for runtime targets",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_wrong_target_is_refused(target: str) -> None:
    """One mistake in `target` gives one problem."""
    [problem] = _problems(f"version: 1\ntarget: {target}\n{STEPS}")
    assert TARGETS[target] in problem


STEP = {
    "{}": "this step sends nothing: it has no method",
    "{as: a}": "this step sends nothing: it has no method",
    "get /": "not the text 'get /' | did you mean  get: /",
    "get": "'steps' must be a mapping of names to values, not the text 'get'",
    "{GET: /}": "unknown key 'steps.GET' | did you mean 'get'?",
    "{get: /, post: /}": "this step has both 'get' and 'post'",
    "{get: cart}": "did you mean '/cart'?",
    "{get: 'http://x.org/cart'}": "did you mean '/cart'?",
    '{get: "/a\\nb"}': "'steps.get' holds a line break or control character",
    "{get: 5}": "'steps.get' must be a path, not the number 5",
    "{post: /, form: {}, body: x}": "this step has both 'form' and 'body'",
    "{post: /, form: [a]}": "'steps.form' must be a mapping of names to values, not a list",
    "{post: /, form: {a: true}}": "'steps.form.a' must be a text, not true",
    "{post: /, form: {a: }}": "'a' has no value",
    "{post: /, body: 5}": "'steps.body' must be a text, not the number 5",
    "{post: /, json: [.nan]}": "JSON has no .nan",
    "{get: /, headers: {a b: c}}": "'steps.headers.a b' cannot be the name of a header",
    '{get: /, headers: {a: "b\\r\\nc: d"}}': "'steps.headers.a' holds a line break",
    '{get: /, headers: {a: "\u20ac"}}': "'steps.headers.a' holds a character that HTTP headers",
    "{get: /, auth: [a]}": "'steps.auth' must have two texts, name and password",
    "{get: /, auth: [a, b, c]}": "'steps.auth' must have 2 items, not 3",
    "{get: /, auth: a}": "'steps.auth' must be a list, not the text 'a'",
    "{get: /, auth: ['a:b', c]}": "a login name for Basic cannot hold ':'",
    "{get: /, auth: ['{b.canary}', c]}": "'{b.canary}' names no earlier step of this flow",
    "{get: /, expect: {status: '200'}}": "'steps.expect.status' must be a whole number",
    "{get: /, expect: {status: [200, 600]}}": "'steps.expect.status' must be at most 599",
    "{get: /, expect: {contains: ''}}": "'steps.expect.contains' is empty",
    "{get: /, expect: {json: [a]}}": "'steps.expect.json' must be a mapping",
    "{get: /, expect: {unique: 1}}": "'steps.expect.unique' must be true or the name of a member",
    "{get: /, expect: {contains: '{user.x}'}}": "'{user.x}' is not declared in users.vars",
    "{get: /, mine: abc}": "'mine' is the same for every user",
    "{get: /, mine: '{user.same}'}": "'mine' is the same for every user",
    "{get: /, mine: '{user.id}'}": "any number on a page would be taken for '{user.id}'",
    "{get: /, mine: '#{user.pin}-{user.id}'}": "any number on a page would be taken for '#{user.p",
    "{get: /, route: cart}": "'steps.route' must begin with '/', not the text 'cart'",
    "{get: /, route: /a?b=1}": "'steps.route' holds a query, which no route has",
    "{get: /, as: a b}": "'steps.as' must be a name of letters",
    "{get: /, as: user}": "a step cannot be named 'user'",
    "{get: /, once: true}": "later visits would send nothing, since each step is sent once",
    "{get: /, once: 1}": "must be true or false",
    "{get: /, captures: {id: {json: id}}}": "has no name to be called by, since the step has none",
    "{get: /, as: a, captures: {canary: {json: id}}}": "'canary' is the step's own canary",
    "{get: /, as: a, captures: {id: json}}": "'steps.captures.id' must be a mapping with one of",
    "{get: /, as: a, captures: {id: {}}}": "'steps.captures.id' must be a mapping with one of",
    "{get: /, as: a, captures: {id: {jsn: id}}}": "must be a mapping with one of json, header,",
    "{get: /, as: a, captures: {id: {json: a, header: b}}}": "must be a mapping with one of json",
    "{get: /, as: a, captures: {id: {json: 5}}}": "must name what of the answer it is, not the num",
    "{get: /, as: a, captures: {id: {regex: '('}}}": "is no regular expression: missing ), unter",
    "{get: /, as: a, captures: {id: {regex: '(a)(b)'}}}": "has more than one group",
    "{get: /, as: a, captures: {'a b': {json: id}}}": "must be a name of letters",
    "{get: '/{a.id}', as: a, captures: {id: {json: id}}}": "'{a.id}'",
    "{get: '/{a.canary}', as: a}": "'{a.canary}' names no earlier step of this flow",
}


@pytest.mark.parametrize("step", STEP)
def test_a_wrong_step_is_refused(step: str) -> None:
    """One mistake in a step gives one problem, in `steps` as in a flow."""
    [problem] = _problems(f"{HEAD}{VARS}steps: [{step}]\n")
    assert STEP[step] in problem
    [in_flow] = _problems(f"{HEAD}{VARS}flows: {{buy: {{steps: [{step}]}}}}\n")
    assert in_flow.rpartition("'")[2] == problem.rpartition("'")[2]


CAPTURED = {
    "{get: '/{a.id}'}": None,
    "{get: '/{a.idd}'}": "its canary and what it captures | did you mean '{a.id}'?",
    "{get: '/{a.zzz}'}": "write {a.canary}, or say there  captures: {zzz: {json: zzz}}",
    "{get: /, mine: 'n{a.id}'}": "'mine' holds {a.id}, which is another in each visit",
    "{get: /, expect: {contains: '{a.id}', json: {id: '{a.id}'}}}": None,
    "{get: /, auth: [n, '{a.id}'], headers: {X: '{a.id}'}}": None,
}


@pytest.mark.parametrize("step", CAPTURED)
def test_what_an_earlier_step_captures_may_be_named(step: str) -> None:
    """Later steps of the same flow know it, but for texts that are a user's in all visits."""
    text = f"{HEAD}{VARS}steps: [{{get: /, as: a, captures: {{id: {{json: id}}}}}}, {step}]\n"
    if CAPTURED[step] is None:
        Scenario.parse(text)
    else:
        [problem] = _problems(text)
        assert CAPTURED[step] in problem


def test_a_number_that_is_taken_for_any_other_is_refused_at_its_place() -> None:
    """The problem stands at the text, and says what to write instead."""
    step = "steps: [{get: /, mine: ['x{user.id}', '{user.id}', '{canary}']}]\n"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(f"{HEAD}{VARS}{step}")
    [problem] = caught.value.problems
    assert (problem.line, problem.column) == (4, 39)
    assert problem.suggestion == (
        'write letters beside it, as with  users: {vars: {name: "user{n}"}}'
    )


FLOWS = {
    "steps: []": "'steps' is empty",
    "steps: {get: /}": "'steps' must be a list, not a mapping",
    "flows: {}": "nothing is sent: 'steps' is missing",
    "flows: {a: {}}": "'flows.a.steps' is missing",
    "flows: {a: [{get: /}]}": "'flows.a' must be a mapping of names to values, not a list",
    "flows: {a b: {steps: [{get: /}]}}": "'flows.a b' must be a name of letters",
    "flows: {a: {weight: 0, steps: [{get: /}]}}": "'flows.a.weight' must be more than 0",
    "flows: {a: {weight: .inf, steps: [{get: /}]}}": "'flows.a.weight' must be",
    "flows: {a: {wieght: 1, steps: [{get: /}]}}": "did you mean 'weight'?",
    "flows: {weight: {wieght: 1, steps: [{get: /}]}}": "did you mean 'weight'?",
    "steps: [{get: /, as: a}, {get: /, as: a}]": "an earlier step is named 'a' too",
    "flows: {a: {steps: [{get: /, as: x}]}, b: {steps: [{get: '/{x.canary}'}]}}": (
        "'{x.canary}' names no earlier step of this flow"
    ),
}


@pytest.mark.parametrize("sent", FLOWS)
def test_wrong_steps_and_flows_are_refused(sent: str) -> None:
    """What is sent is told by steps or by flows, and a flow's names are its own."""
    [problem] = _problems(f"{HEAD}{sent}\n")
    assert FLOWS[sent] in problem


def test_all_problems_are_told_in_one_go_and_in_order() -> None:
    """Shapes, rules and duplicates are found together, sorted by where they stand."""
    text = "seed: -1\nseed: 2\nversion: 1\nnam: x\nsteps:\n- get: '/{x}'\n  expect: {status: a}\n"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text)
    places = [(each.line, each.column) for each in caught.value.problems]
    assert places == [(1, 1), (1, 7), (2, 1), (4, 1), (6, 10), (7, 20)]


@pytest.mark.parametrize("version", ["2", "'1'", "true", "1.1", "[1]"])
def test_only_version_1_is_read(version: str) -> None:
    """A file of another version, or of none, is refused."""
    [problem] = _problems(HEAD.replace("version: 1", f"version: {version}") + STEPS)
    assert problem.startswith("'version' must be 1, not")
    [missing] = _problems(HEAD.replace("version: 1", "") + STEPS)
    assert missing.startswith("'version' is missing")


def test_empty_flows_beside_steps_say_nothing() -> None:
    """`flows: {}` is the same as no flows."""
    assert Scenario.parse(f"{HEAD}{STEPS}flows: {{}}\n").flows == {}
