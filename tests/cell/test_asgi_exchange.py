"""The server's side of ASGI: what is refused, what is forgiven, and what a fault does."""

from __future__ import annotations

import asyncio

import pytest
from driving import plan_of, step

from ctxsim.cell.plan import Expect
from ctxsim.cell.targets.asgi import Asgi
from ctxsim.cell.targets.faults import InjectedError, InjectedTimeoutError
from ctxsim.cell.targets.suspensions import Cancelled, Resumed
from ctxsim.cell.visits import Request, Response, Traffic

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-tag", b"1")]}
END = {"type": "http.response.body", "body": b"end"}
PART = {**END, "body": b"part ", "more_body": True}


def requests(line: str = "GET /", **keys) -> list[Request]:
    """Some requests, one of each of several users."""
    traffic = Traffic(plan_of(step(line, expect=Expect(), **keys)), lambda: 0.0)
    sent = [each for each in iter(traffic.take, None) if each.user.number][:16]
    for request in sent:
        request.fault_draw = request.lane.draw()
    return sent


def asked(line: str = "GET /", fault: str | None = None, **keys) -> Request:
    request = requests(line, **keys)[0]
    request.fault = fault
    return request


def answered(app, request: Request | None = None) -> Response:
    request = request or asked()

    async def answer() -> Response:
        answering = Asgi(app, {"app": "app"}).answer(request)
        return await (Cancelled(answering, request) if request.fault == "cancel" else answering)

    return asyncio.run(answer())


def sending(*messages, after=None):
    """An application that sends these messages, and then raises `after`."""

    async def app(_scope, _receive, send):
        for message in messages:
            await send(message)
        if after is not None:
            raise after

    return app


def test_a_response_is_put_together():
    response = answered(sending(START, PART, END))
    assert (response.status, response.body, response.headers) == (
        200,
        b"part end",
        [("X-Tag", "1")],
    )
    assert response.complete
    assert response.error is None


def test_a_head_has_no_body():
    start = {**START, "headers": [(b"content-length", b"3")]}
    assert answered(sending(start, END), asked("HEAD /")).body == b""


@pytest.mark.parametrize(
    ("messages", "error", "said"),
    [
        ([END], RuntimeError, "'http.response.start' must come"),
        ([START, START], RuntimeError, "'http.response.body' must come"),
        ([{"type": "websocket.accept"}], RuntimeError, "'websocket.accept' was sent"),
        ([{}], KeyError, "type"),
        ([{"type": "http.response.start"}], KeyError, "status"),
        ([], RuntimeError, "returned without a response"),
        ([START], RuntimeError, "returned without a complete response"),
        ([START, PART], RuntimeError, "returned without a complete response"),
        ([{**START, "headers": [("x", "1")]}], TypeError, "two byte strings"),
        ([START, {**END, "body": "text"}], TypeError, "must be bytes, not str"),
        ([{**START, "headers": [(b"content-length", b"2")]}, END], RuntimeError, "Content-Length"),
        ([{**START, "headers": [(b"content-length", b"9")]}, END], RuntimeError, "Content-Length"),
    ],
)
def test_what_no_server_would_send_is_an_error(messages, error, said):
    response = answered(sending(*messages))
    assert (response.status, response.complete) == (500, False)
    assert isinstance(response.error, error)
    assert said in str(response.error)


def test_an_error_of_the_application_is_its_responses():
    response = answered(sending(START, PART, after=LookupError("amid")))
    assert (response.status, response.complete) == (500, False)
    assert isinstance(response.error, LookupError)


@pytest.mark.parametrize("after", [LookupError(), SystemExit(3), asyncio.CancelledError()])
def test_an_error_after_the_end_takes_nothing_back(after):
    response = answered(sending(START, END, after=after))
    assert (response.status, response.body, response.complete) == (200, b"end", True)
    assert response.error is after


def test_a_message_after_the_end_is_an_error():
    response = answered(sending(START, END, END))
    assert (response.status, response.complete) == (200, True)
    assert "after the response was complete" in str(response.error)


def test_a_disconnect_comes_when_the_response_is_complete():
    """To whoever waited for it, also to several at once, and ever after."""

    async def app(_scope, receive, send):
        assert (await receive())["type"] == "http.request"
        waiting = [asyncio.create_task(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        await send(START)
        await send(END)
        told = [*await asyncio.gather(*waiting), await receive()]
        assert told == [{"type": "http.disconnect"}] * 3

    assert answered(app).error is None


def test_one_who_stops_waiting_for_the_client_takes_it_from_nobody():
    async def app(_scope, receive, send):
        await receive()
        first, second = (asyncio.create_task(receive()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        await send(START)
        await send(END)
        assert await second == {"type": "http.disconnect"}

    assert answered(app).error is None


def test_a_client_leaves_after_the_first_part():
    """Sending raises OSError from then on, and receiving says so."""
    seen = []

    async def app(_scope, receive, send):
        await send(START)
        await send(PART)
        seen.append((await receive())["type"])
        await send(END)

    request = asked(fault="abort")
    response = answered(app, request)
    assert (seen, request.faulted) == (["http.disconnect"], True)
    assert (response.status, response.body, response.complete) == (200, b"part ", False)
    assert isinstance(response.error, OSError)


def test_a_client_leaves_before_an_answer_of_one_part():
    request = asked(fault="abort")
    response = answered(sending(START, END), request)
    assert (response.body, response.complete, request.faulted) == (b"", False, True)


def test_a_client_leaves_an_application_that_waits_for_it():
    """Before there is any answer: the first it hears is that the client has gone."""

    async def app(_scope, receive, _send):
        while (await receive())["type"] != "http.disconnect":
            pass

    request = asked(fault="abort")
    response = answered(app, request)
    assert (response.complete, response.error, request.faulted) == (False, None, True)


@pytest.mark.parametrize("reads", [True, False])
def test_an_error_is_injected_where_the_body_is_read_or_where_the_answer_begins(reads):
    async def app(_scope, receive, send):
        where.append("called")
        if reads:
            await receive()
        where.append("read")
        await send(START)

    ends = set()
    for request in requests():
        where: list[str] = []
        request.fault = "error"
        for number in (1, 2):
            where.clear()
            request.number, request.faulted = number, False
            response = answered(app, request)
            assert isinstance(response.error, (InjectedError, InjectedTimeoutError))
            assert request.faulted
            ends.add(where[-1])
    assert ends == ({"called", "read"} if reads else {"read"})


def test_an_application_may_answer_an_injected_error():
    """It is injected once; an error page of the application's own comes through."""

    async def app(_scope, _receive, send):
        try:
            await send(START)
        except (InjectedError, InjectedTimeoutError):
            await send({**START, "status": 503})
        await send(END)

    response = answered(app, asked(fault="error"))
    assert (response.status, response.complete, response.error) == (503, True, None)


def suspending(times: int, log: list[str]):
    async def app(_scope, _receive, send):
        try:
            for number in range(times):
                log.append(str(number))
                await (asyncio.sleep(0) if number % 2 else asyncio.sleep(0.0001))
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        await send(START)
        await send(END)

    return app


def test_a_task_is_cancelled_at_the_suspension_that_its_chance_says():
    """By count: the same request is cancelled at the same place, others elsewhere."""
    places = []
    for request in requests():
        request.fault = "cancel"
        logs = []
        for _ in range(2):
            request.faulted = False
            log: list[str] = []
            response = answered(suspending(20, log), request)
            assert (log[-1], request.faulted, response.complete) == ("cancelled", True, False)
            assert isinstance(response.error, asyncio.CancelledError)
            logs.append(log)
        assert logs[0] == logs[1]
        places.append(len(logs[0]) - 1)
    assert set(places) <= set(range(1, 9))
    assert len(set(places)) > 3


def test_a_task_that_suspends_too_seldom_is_not_cancelled():
    for request in requests():
        request.fault = "cancel"
        response = answered(sending(START, END), request)
        assert (request.faulted, response.complete, response.error) == (False, True, None)


def test_a_task_that_survives_its_cancellation_answers():
    async def app(_scope, _receive, send):
        for _ in range(10):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                caught.append(True)
        await send(START)
        await send(END)

    caught: list[bool] = []
    request = asked(fault="cancel")
    response = answered(app, request)
    assert (caught, request.faulted) == ([True], True)
    assert (response.complete, response.status) == (True, 200)


def test_each_resumption_is_told_inside_of_the_task():
    """As often as the coroutine goes on, whether by a value, an error or a cancellation."""
    told = []

    async def failing():
        await asyncio.sleep(0)
        raise LookupError

    async def work():
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.create_task(failing())
        except LookupError:
            told.append("failed")
        task.cancel()
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "done"

    async def main():
        return await Resumed(work(), lambda: told.append(asyncio.current_task()))

    assert asyncio.run(main()) == "done"
    assert told.pop(2) == "failed"
    assert len(told) == 3
    assert len(set(map(id, told))) == 1


def test_an_awaited_error_comes_out_as_it_is():
    async def failing():
        await asyncio.sleep(0)
        raise StopAsyncIteration("mine")

    async def main():
        await Resumed(failing(), lambda: None)

    with pytest.raises(StopAsyncIteration, match="mine"):
        asyncio.run(main())


def test_a_closed_coroutine_closes_what_it_awaits():
    closed = []

    async def inner():
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def outer():
        await Resumed(inner(), lambda: None)

    async def main():
        coroutine = outer()
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())
    assert closed == [True]
