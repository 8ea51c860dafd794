"""Result documents for tests: a plain one, and any that could be."""

from dataclasses import replace

from hypothesis import strategies as st

from ctxsim.cell.checks import TITLES
from ctxsim.cell.history import Ending, Where, Who
from ctxsim.report.document import (
    CellResult,
    Document,
    Expectation,
    Failure,
    FindingResult,
    Latency,
    ScenarioFacts,
    Timing,
)

CELL = CellResult(
    storage="contextvar",
    workers="threads:8",
    verdict="findings",
    requests=1000,
    compared=990,
    failed=12,
    visitors=50,
    in_flight_peak=8,
    findings=("7F3K2M",),
    codes=("CTX201",),
    unexpected=("CTX201",),
    faults={"error": 20, "abort": 11},
    failures={"500": 12},
    timing=Timing(1.0, 1000.0, Latency(0.0004, 0.0009, 0.02, 1.5)),
)
SYNC = replace(
    CELL, workers="sync", verdict="clean", in_flight_peak=1, findings=(), codes=(), unexpected=()
)
FINDING = FindingResult(
    id="7F3K2M",
    code="CTX201",
    title=TITLES["CTX201"],
    count=812,
    cells=("contextvar/threads:8",),
    first_at_request=2,
    victim=Who(1, 2, "GET /whoami"),
    source=Who(2, 1, "GET /whoami"),
    where=(Where("shop.py", 17, "whoami"),),
    story=(
        "user 1, request 2 (GET /whoami) was answered with a value of user 2, request 1",
        "seen in the body: bob",
    ),
    replay="ctxsim run shop.ctxsim.yaml --seed 42 --workers threads:8",
)
DOCUMENT = Document(
    scenario=ScenarioFacts("shop", "shop.ctxsim.yaml", "00"),
    verdict="findings",
    exit_code=1,
    seed=42,
    replay="ctxsim run shop.ctxsim.yaml --seed 42",
    expect=Expectation("clean", ("CTX201 in contextvar/threads:8",)),
    checks=tuple(TITLES),
    cells=(SYNC, CELL),
    findings=(FINDING,),
    environment={"ctxsim": "0.1.0", "target": {"app": "shop:app", "versions": {"flask": "3.1.3"}}},
    timing=Timing(2.9),
)

_TEXT = st.text(st.characters(), max_size=200)
_COUNT = st.integers(0, 10**12)
_CODE = st.sampled_from(sorted(TITLES))
_WHO = st.builds(Who, _COUNT, _COUNT, _TEXT)
_WORKERS = st.sampled_from(["sync", "threads:8", "greenlets:200", "threads:4 x greenlets:250"])
_STORAGE = st.sampled_from(["contextvar", "greenlet", "thread", "ident", "shared"])
_KINDS = ["stopped", "import", "crash", "exit", "hang", "refused", "memory", "flood", "fault"]
_ENDINGS = st.builds(
    Ending, st.sampled_from(_KINDS), _TEXT, st.lists(_TEXT, max_size=3).map(tuple), _TEXT
)
_VERDICTS = st.sampled_from(["clean", "findings", "inconclusive", "error"])
_CELLS = st.builds(
    replace,
    st.just(CELL),
    storage=_STORAGE,
    workers=_WORKERS,
    verdict=_VERDICTS,
    requests=_COUNT,
    compared=_COUNT,
    in_flight_peak=_COUNT,
    codes=st.lists(_CODE, unique=True).map(tuple),
    unexpected=st.lists(_CODE, unique=True).map(tuple),
    ending=st.none() | _ENDINGS,
    timing=st.just(CELL.timing) | st.just(Timing(0.0)),
)
_FINDINGS = st.builds(
    replace,
    st.just(FINDING),
    code=_CODE,
    cells=st.lists(_TEXT, min_size=1, max_size=5).map(tuple),
    victim=_WHO,
    source=st.none() | _WHO,
    where=st.lists(st.builds(Where, _TEXT, _COUNT, _TEXT), max_size=2).map(tuple),
    story=st.lists(_TEXT, max_size=4).map(tuple),
    replay=_TEXT,
)
_TEXTS = st.lists(_TEXT, max_size=2).map(tuple)

documents = st.builds(
    replace,
    st.just(DOCUMENT),
    scenario=st.builds(ScenarioFacts, _TEXT, _TEXT, _TEXT),
    verdict=_VERDICTS,
    seed=st.none() | _COUNT,
    replay=_TEXT,
    reasons=_TEXTS,
    not_covered=_TEXTS,
    expect=st.builds(Expectation, _TEXT, _TEXTS, _TEXTS),
    cells=st.lists(_CELLS, max_size=5).map(tuple),
    findings=st.lists(_FINDINGS, max_size=3).map(tuple),
    error=st.none() | st.builds(Failure, _TEXT, _TEXT, _TEXT),
)
