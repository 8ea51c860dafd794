"""What people read when a scenario file is wrong, exactly as it is printed."""

# ruff: noqa: E501 - lines stand here as they are printed.

from __future__ import annotations

import pytest

from ctxsim import Scenario, ScenarioError

HEAD = "version: 1\ntarget: {app: shop:app}\n"
STEPS = "steps: [{get: /}]\n"

MISTAKES = {
    "a mistyped key": (
        HEAD + STEPS + "load: {reqests: 5}\n",
        """shop.yaml:4:8: error: unknown key 'load.reqests'
    4 | load: {reqests: 5}
      |        ^^^^^^^  did you mean 'requests'?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a key at the wrong level": (
        HEAD + STEPS + "requests: 5\n",
        """shop.yaml:4:1: error: unknown key 'requests'
    4 | requests: 5
      | ^^^^^^^^  did you mean 'load.requests'?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a mistyped word": (
        "version: 1\ntarget:\n  app: shop:app\n  kind: wsig\n" + STEPS,
        """shop.yaml:4:9: error: 'target.kind' must be one of auto, runtime, wsgi, asgi, http, not the text 'wsig'
    4 |   kind: wsig
      |         ^^^^  did you mean 'wsgi'?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a key that stands twice": (
        HEAD + STEPS + "seed: 1\nseed: 2\n",
        """shop.yaml:5:1: error: duplicate key 'seed' (first at line 4)
    5 | seed: 2
      | ^^^^  keep one of the two
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a missing key": (
        "version: 1\ntarget: {kind: wsgi}\n" + STEPS,
        """shop.yaml:2:1: error: 'target.app' is missing
    2 | target: {kind: wsgi}
      | ^^^^^^  add  app: shop.wsgi:app
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a key of another kind of target": (
        HEAD + STEPS + "load: {rate: 5/s, duration: 1s}\n",
        """shop.yaml:4:8: error: 'load.rate' is for servers in this version
    4 | load: {rate: 5/s, duration: 1s}
      |        ^^^^  remove it
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a placeholder that nobody declared": (
        HEAD
        + 'users: {vars: {name: "user{n}"}}\nsteps:\n- post: /in\n  form: {user: "{user.nam}"}\n',
        """shop.yaml:6:17: error: '{user.nam}' is not declared in users.vars
    6 |   form: {user: "{user.nam}"}
      |                 ^^^^^^^^^^  did you mean '{user.name}'?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a text of one's own that is everyone's": (
        HEAD + "steps:\n- get: /\n  mine: welcome\n",
        """shop.yaml:5:9: error: 'mine' is the same for every user: 'welcome' can belong to nobody
    5 |   mine: welcome
      |         ^^^^^^^  write a text with {user.canary}, or a variable with {n}: "{user.name}"
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a percentage without its sign": (
        HEAD + STEPS + "faults: {error: 5}\n",
        """shop.yaml:4:17: error: 'faults.error' must be a percentage, not the number 5
    4 | faults: {error: 5}
      |                 ^  did you mean 5%?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a duration without its unit": (
        HEAD + STEPS + "load: {duration: 30}\n",
        """shop.yaml:4:18: error: 'load.duration' must be a duration with its unit, not the number 30
    4 | load: {duration: 30}
      |                  ^^  did you mean 30s?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a word of workers that YAML takes apart": (
        HEAD + STEPS + "workers:\n- threads: 8\n",
        """shop.yaml:5:3: error: 'workers' must be a word, not a mapping
    5 | - threads: 8
      |   ^^^^^^^^^^  did you mean "threads:8", without the space?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "workers by another tool's name": (
        HEAD + STEPS + "workers: gevent:50\n",
        """shop.yaml:4:10: error: 'workers' holds the text 'gevent:50', which is no kind of workers
    4 | workers: gevent:50
      |          ^^^^^^^^^  did you mean 'greenlets:50'?
1 problem in shop.yaml. Nothing was run.""",
    ),
    "a threshold that YAML takes for a block": (
        HEAD + STEPS + "thresholds: {}\nexpect: >= 99%\n",
        """shop.yaml:5:10: error: this is no YAML: '>' and '|' begin a text of several lines here
    5 | expect: >= 99%
      |          ^  put it in quotes: ">= 99%"
1 problem in shop.yaml. Nothing was run.""",
    ),
    "an expectation that YAML takes for an alias": (
        HEAD + STEPS + "expect:\n  *: clean\n",
        """shop.yaml:5:3: error: '*' begins an alias, which must have a name
    5 |   *: clean
      |   ^^  if a text is meant, put it in quotes: "*"
1 problem in shop.yaml. Nothing was run.""",
    ),
    "both ways to say what is sent": (
        HEAD + STEPS + "flows: {buy: {steps: [{get: /}]}}\n",
        """shop.yaml:4:1: error: 'flows' stands beside 'steps' (line 3); there can be one
    4 | flows: {buy: {steps: [{get: /}]}}
      | ^^^^^  move the steps into a flow
1 problem in shop.yaml. Nothing was run.""",
    ),
    "several at once, from top to bottom": (
        "version: 3\ntarget: {app: shop}\nsteps:\n- get: cart\n- gett: /\nseed: -1\n",
        """shop.yaml:1:10: error: 'version' must be 1, not the number 3
    1 | version: 3
      |          ^  write  version: 1
shop.yaml:2:15: error: 'target.app' must be module:attribute or path/to/file.py:attribute, not the text 'shop'
    2 | target: {app: shop}
      |               ^^^^  did you mean shop:app?
shop.yaml:4:8: error: 'steps.get' must begin with '/', not the text 'cart'
    4 | - get: cart
      |        ^^^^  did you mean '/cart'?
shop.yaml:5:3: error: unknown key 'steps.gett'
    5 | - gett: /
      |   ^^^^  did you mean 'get'?
shop.yaml:6:7: error: 'seed' must be at least 0, not the number -1
    6 | seed: -1
      |       ^^  write for example  seed: 42
5 problems in shop.yaml. Nothing was run.""",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_shown_with_its_line_a_caret_and_what_to_write(mistake: str) -> None:
    """Each typical mistake prints its place, its line, a caret and a suggestion."""
    text, printed = MISTAKES[mistake]
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text, "shop.yaml")
    assert str(caught.value) == printed
