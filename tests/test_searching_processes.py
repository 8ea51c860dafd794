"""Processes and pipes of requests, in a search: carried for real where declared, or refused."""

import os
import re
import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

SERVED = """
import concurrent.futures, gevent.fileobject, multiprocessing, os, select, subprocess, time
from urllib.parse import parse_qs

def app(environ, start_response):
    tag = parse_qs(environ["QUERY_STRING"])["tag"][0]
    answer = views[environ["PATH_INFO"]](tag).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer]

def plain(tag):
    return tag

"""
AWAITED = """
import asyncio, concurrent.futures
from urllib.parse import parse_qs

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    tag = parse_qs(scope["query_string"].decode())["tag"][0]
    text = await views[scope["path"]](tag)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def plain(tag):
    return tag

"""
GREENLETS = ["greenlets:8", "greenlets:8:late", "greenlets:8:unpatched"]


@pytest.fixture
def searched(tmp_path):
    """What a search of two routes comes to: one that waits for nobody, and `/other`."""

    def search(source, workers, atomic, head=SERVED, budget=10):
        views = '\nviews = {"/plain": plain, "/other": other}\n'
        text = head + textwrap.dedent(source) + views
        (tmp_path / "served.py").write_text(text, encoding="utf-8")
        step = '{steps: [{get: "/%s?tag={canary}", expect: {contains: "{canary}"}}]}'
        path = tmp_path / "searched.yaml"
        path.write_text(
            'version: 1\ntarget: {app: "served.py:app"}\n'
            f"flows: {{a: {step % 'plain'}, b: {step % 'other'}}}\n"
            f'workers: "{workers}"\nfaults: none\nseed: 7\n'
            f"schedule: {{kind: auto, budget: {budget}, atomic: [{atomic}]}}\n",
            encoding="utf-8",
        )
        outcome = simulate(
            Scenario.load(path), options=Options(confirms=False, compare_alone=False)
        )
        return outcome, "\n".join((*outcome.document.reasons, *outcome.document.notes))

    return search


PROCESSES = {
    "that is told much": """
        def other(tag):
            much = tag + "x" * 100_000
            return subprocess.run(["cat"], input=much, capture_output=True, text=True).stdout
    """,
    "with a timeout": """
        def other(tag):
            command = ["sh", "-c", f"echo {tag}; exec 1>&- 2>&-; sleep 0.05"]
            return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout
    """,
    "that is looked at again and again": """
        def other(tag):
            command = ["sh", "-c", f"sleep 0.05; echo {tag}"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while process.poll() is None:
                time.sleep(0.1)
            with process.stdout as answer:
                return answer.read()
    """,
    "of the shell": """
        def other(tag):
            with os.popen(f"echo {tag}") as answer:
                return answer.read() + str(os.system("exit 3"))
    """,
}


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8"])
@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_is_declared_is_carried_by_whichever_workers(process, workers, searched):
    outcome, told = searched(PROCESSES[process], workers, "subprocess, os")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0), told
    assert "GET /other" not in told


@pytest.mark.parametrize("workers", GREENLETS)
def test_a_module_of_the_applications_own_may_be_declared_under_greenlets_too(workers, searched):
    outcome, told = searched(PROCESSES["that is told much"], workers, "served")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0), told


def test_what_greenlets_do_around_a_declared_process_is_searched(searched):
    source = """
    last = {}

    def other(tag):
        last["tag"] = tag
        time.sleep(0.1)
        return subprocess.run(["echo", last["tag"]], capture_output=True, text=True).stdout
    """
    outcome, told = searched(source, "greenlets:8", "subprocess", budget=30)
    assert {each.code for each in outcome.findings} == {"CTX201", "CTX207"}, told
    assert all(each.confirmed.times == each.confirmed.of for each in outcome.findings)


PIPES = {
    "select": """
        def other(tag):
            reads, writes = os.pipe()
            os.write(writes, tag.encode())
            select.select([reads], [], [], 1)
            poll = select.poll()
            poll.register(reads, select.POLLIN)
            [(number, event)] = poll.poll(1000)
            assert (number, event) == (reads, select.POLLIN)
            answer = os.read(reads, 1000)
            os.close(reads)
            os.close(writes)
            return answer.decode()
    """,
    "a file of gevent's": """
        def other(tag):
            reads, writes = os.pipe()
            with gevent.fileobject.FileObject(writes, "wb") as file:
                file.write(tag.encode())
            with gevent.fileobject.FileObject(reads, "rb") as file:
                return file.read().decode()
    """,
}


@pytest.mark.parametrize("pipe", PIPES)
def test_a_pipe_that_is_declared_is_waited_for_by_greenlets(pipe, searched):
    outcome, told = searched(PIPES[pipe], "greenlets:8", "select")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0), told


def test_a_pipe_that_is_not_is_refused_with_what_to_write(searched):
    outcome, told = searched(PIPES["select"], "greenlets:8", "shop")
    assert outcome.verdict == "inconclusive"
    assert re.search(
        r"it waits for a socket or a pipe, at served\.py:\d+ in other, which no schedule "
        r"controls; to have it carried for real, write schedule\.atomic: \[select\]",
        told,
    )


def test_who_waits_for_a_pipe_in_vain_is_refused(searched):
    """Whoever could write to it does not go on."""
    source = """
    def other(tag):
        reads, writes = os.pipe()
        select.select([reads], [], [])
    """
    outcome, told = searched(source, "greenlets:8", "select")
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert "GET /other was not searched: it waits for a socket or a pipe, in vain" in told


@pytest.mark.parametrize("atomic", ["shop", "concurrent, multiprocessing, os, served"])
@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8", "greenlets:8:unpatched"])
@pytest.mark.parametrize(
    "pool", ["concurrent.futures.ProcessPoolExecutor(1)", "multiprocessing.Pool(1)"]
)
def test_a_pool_of_processes_is_refused_at_once_whatever_is_declared(
    pool, workers, atomic, searched
):
    source = f"""
    def other(tag):
        with {pool} as pool:
            return list(pool.map(str, [tag]))[0]
    """
    outcome, told = searched(source, workers, atomic)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    [cell] = outcome.cells
    assert cell.ending is None
    assert re.search(
        r"GET /other was not searched: it waits for a pool of processes, "
        r"at served\.py:1[67] in other, which no schedule controls$",
        told,
        re.MULTILINE,
    )


def test_a_loop_that_gives_work_to_a_pool_of_processes_is_refused_at_once(searched):
    source = """
    pool = concurrent.futures.ProcessPoolExecutor(1)

    async def other(tag):
        return await asyncio.get_running_loop().run_in_executor(pool, str, tag)
    """
    outcome, told = searched(source, "tasks:4", "concurrent, asyncio", head=AWAITED)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert "it waits for a pool of processes, at served.py:" in told
    assert "was not searched" in told


COPIED = """
    def reports(answers, tag):
        number = os.getpid()
        answers.send(f"{tag} {number}")

    def other(tag):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=reports, args=(theirs, tag))
        process.start()
        answer = ours.recv()
        process.join()
        with open("LOG", "a") as file:
            file.write(f"{tag} {os.getpid()}\\n")
        return answer
"""


def test_in_a_copy_of_the_process_no_other_request_goes_on(searched, tmp_path):
    """Else each would be carried twice, once by each process."""
    log = tmp_path / "log"
    outcome, told = searched(COPIED.replace("LOG", str(log)), "threads:4", "multiprocessing")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0), told
    carried = log.read_text(encoding="utf-8").splitlines()
    by_process = {}
    for tag, process in map(str.split, carried):
        by_process.setdefault(process, []).append(tag)
    assert len(carried) > 10
    # Those that carried a request at all have carried a batch of them.
    assert min(map(len, by_process.values())) > 1
    assert str(os.getpid()) not in by_process


def test_greenlets_may_not_copy_their_process(searched, tmp_path):
    source = COPIED.replace("LOG", str(tmp_path / "log"))
    outcome, told = searched(source, "greenlets:8", "multiprocessing, os")
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert re.search(r"waits for a copy of its process, at served\.py:\d+ in other", told)
