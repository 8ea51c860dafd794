"""The flows as Locust's tasks, which it shows by name; nobody runs them."""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.scenario import Scenario

Task = Callable[[object], None]


def steps(_user: object) -> None:
    """What users do is carried in cells; Locust shows tasks by name, and their weights."""


def tasks_of(scenario: Scenario) -> list[Task]:
    """The flows, each as often as it weighs, for Locust's table of tasks; no user runs them."""
    weights = {name: flow.weight for name, flow in scenario.flows.items()}
    if not weights:
        return [steps]
    least = min(weights.values())

    def named(name: str) -> Task:
        def task(_user: object) -> None:
            """What is carried in a cell."""

        task.__name__ = name
        return task

    counts = {name: max(1, round(weight / least)) for name, weight in weights.items()}
    return [each for name, count in counts.items() for each in [named(name)] * count]
