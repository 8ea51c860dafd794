"""What the harness of a live load is told, as a value that travels as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ctxsim.cell.canaries import MAX_PROCESS, MAX_USER
from ctxsim.cell.plan import rebuilt
from ctxsim.errors import UsageError
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario, cells

# As many processes as a run of so many cells may number, for what is carried alone as well.
_PROCESSES_EACH, _PROCESSES_MORE = 22, 8


@dataclass(frozen=True, slots=True)
class Order:
    """One live load: the scenario, what is said in its place, and what runs beside it.

    `text` is the scenario's, which may come from another machine; `file` where it is here. Empty
    words leave what the scenario says. So many `users` are expected; more may come. Of several
    harnesses that are one run, `part` is the number of this one, from 0; they share `run`.
    """

    file: str
    text: str = ""
    seed: str = ""
    workers: str = ""
    storage: str = ""
    faults: str = ""
    python: str = ""
    users: int = 1
    run: str = ""
    part: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Order:
        found: Order = rebuilt(cls, document)
        return found

    def scenario(self) -> Scenario:
        """The scenario as it is to be carried. Raises UsageError where that cannot be."""
        read = Scenario.parse(self.text, self.file) if self.text else Scenario.load(self.file)
        chosen = read.with_options(
            seed=self._seed(read.seed),
            workers=self.workers or None,
            storage=self.storage or None,
            faults=self.faults or None,
            python=self.python or None,
        )
        if chosen.schedule.kind != "os":
            raise UsageError(
                f"users cannot come and go under schedule: {chosen.schedule.kind}\n"
                "  leave it out here, and search with ctxsim run"
            )
        return chosen

    def options(self, scenario: Scenario) -> Options:
        """How it is carried; raises UsageError where there are too many users or processes."""
        if self.users > MAX_USER:
            raise UsageError(f"{self.users:,} users are too many; there can be {MAX_USER:,}")
        count = len(cells(scenario))
        if scenario.target.kind == "http" and count > 1:
            # Each has a server to itself, and these would all be at one address.
            raise UsageError(
                "users can come to one kind of workers at a time, where they go to a server\n"
                "  write one of them, such as --workers greenlets:50"
            )
        stride = _PROCESSES_EACH * count + _PROCESSES_MORE
        first = self.part * stride + 1
        if first + stride > MAX_PROCESS:
            raise UsageError(f"{count} cells are too many for so many machines")
        said = {"--workers": self.workers, "--python": self.python}
        return Options(
            jobs=count,
            again=tuple(word for name, value in said.items() if value for word in (name, value)),
            run=self.run or None,
            first_process=first,
        )

    def _seed(self, of_file: int | None) -> int | None:
        try:
            seed = int(self.seed) if self.seed else of_file
        except ValueError as error:
            raise UsageError(f"'seed' must be a whole number, not {self.seed!r}") from error
        # Those that run beside each other must not send the same in the same order.
        return None if seed is None else seed + self.part
