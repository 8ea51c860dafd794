"""What an earlier request leaves on the threads to which an event loop hands work."""

import asyncio
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident

import anyio
import pytest

from ctxsim.cell.workers.own_threads import one_for_all, own_threads
from ctxsim.errors import ExitCode
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs
import anyio.to_thread
kept = threading.local()
pool = ThreadPoolExecutor(1)

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    sent = {name: value[0] for name, value in parse_qs(scope["query_string"].decode()).items()}
    text = f"{sent['tag']} {await handed(lambda: answer(sent.get('zone')))}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""
HANDED = {
    "anyio": """
        async def handed(work):
            return await anyio.to_thread.run_sync(work)
        """,
    "asyncio": """
        async def handed(work):
            return await asyncio.to_thread(work)
        """,
    "the loop's executor": """
        async def handed(work):
            return await asyncio.get_running_loop().run_in_executor(None, work)
        """,
}
LEFT = """
def answer(zone):
    if zone:
        kept.zone = zone
    return getattr(kept, "zone", "UTC")
"""
RIGHT = {
    "taken away": """
        def answer(zone):
            kept.zone = zone or "UTC"
            try:
                return kept.zone
            finally:
                del kept.zone
        """,
    "what each thread begins with": """
        def begin():
            kept.zone = "CET"

        async def handed(work):
            loop = asyncio.get_running_loop()
            if not hasattr(loop, "is_set"):
                loop.is_set = True
                loop.set_default_executor(ThreadPoolExecutor(initializer=begin))
            return await loop.run_in_executor(None, work)

        numbers = []

        def answer(zone):
            numbers.append(zone)
            return f"{kept.zone} {len(numbers) // 3 % 2}"
        """,
    "how many threads there are": """
        def answer(zone):
            return 10 * threading.active_count()
        """,
}


@pytest.fixture
def ran(tmp_path):
    def run(*sources, workers="sync"):
        source = HEAD + "".join(map(textwrap.dedent, sources))
        (tmp_path / "served.py").write_text(source, encoding="utf-8")
        text = (
            "version: 1\ntarget: {app: served.py:app}\nusers: {count: 8}\n"
            "steps: [{get: '/now?tag={canary}'}, {get: '/set?tag={canary}&zone=Tokyo'}]\n"
            f"workers: [{workers}]\nload: {{requests: 200}}\nfaults: none\nseed: 7\n"
        )
        (tmp_path / "left.yaml").write_text(text, encoding="utf-8")
        return simulate(Scenario.load(tmp_path / "left.yaml"), options=Options(jobs=1))

    return run


@pytest.mark.parametrize("handed", HANDED)
@pytest.mark.parametrize("workers", ["sync", "'tasks:4'"])
def test_what_is_left_on_a_thread_of_the_loop_makes_nothing_clean(ran, handed, workers):
    outcome = ran(HANDED[handed], LEFT, workers=workers)
    # With several threads it may show under load as well.
    assert outcome.exit_code in (ExitCode.INCONCLUSIVE, ExitCode.FINDINGS)
    assert outcome.document.reasons == (
        "GET /now is answered otherwise on a thread that has carried others than on one of its "
        "own: 'Tokyo' in place of 'UTC'",
    )


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("handed", HANDED)
def test_what_threads_have_of_their_own_is_no_doubt_where_nobody_sees_it(ran, handed, name):
    outcome = ran(HANDED[handed], RIGHT[name])
    assert (outcome.exit_code, outcome.document.reasons) == (ExitCode.OK, ())


def test_what_is_handed_over_at_the_same_time_has_threads_for_all_of_it():
    """One waits for the other, which comes later."""

    async def meet():
        one_for_all()
        barrier, loop = Barrier(2), asyncio.get_running_loop()
        for _ in range(20):
            calls = (loop.run_in_executor(None, barrier.wait, 10) for _ in range(2))
            assert sorted(await asyncio.gather(*calls)) == [0, 1]
        return {await asyncio.to_thread(get_ident) for _ in range(50)}

    assert len(asyncio.run(meet())) == 1


def test_who_set_an_executor_keeps_it():
    async def carry():
        with ThreadPoolExecutor(1) as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            one_for_all()
            return await asyncio.to_thread(get_ident) == pool.submit(get_ident).result()

    assert asyncio.run(carry())


async def _threads():
    loop = asyncio.get_running_loop()
    return {
        await anyio.to_thread.run_sync(get_ident),
        await asyncio.to_thread(get_ident),
        await loop.run_in_executor(None, get_ident),
    }


@pytest.mark.parametrize("is_begun", [False, True])
def test_threads_of_its_own_end_and_those_of_all_go_on(is_begun):
    async def carry():
        one_for_all()
        before = await _threads() if is_begun else set()
        with own_threads():
            own = await _threads()
            assert await _threads() == own
        assert not own & before
        after = await _threads()
        assert after == before or not is_begun
        assert await _threads() == after

    asyncio.run(carry())


def test_without_anyio_there_are_those_of_asyncio_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "anyio._backends._asyncio", raising=False)

    async def carry():
        loop = asyncio.get_running_loop()
        shared = ThreadPoolExecutor(1)
        loop.set_default_executor(shared)
        with own_threads():
            own = await asyncio.to_thread(get_ident)
        return own != await asyncio.to_thread(get_ident) == shared.submit(get_ident).result()

    assert asyncio.run(carry())
