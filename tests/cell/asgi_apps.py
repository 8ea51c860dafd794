"""One shop in every framework of ASGI: a login session, streams both ways, background work.

What its routes give back is the request's own query, or the name that the session holds.
"""

from driving import step

from ctxsim.cell.plan import Expect

STEPS = (
    step("POST /login", form=(("name", "{user.name}"),)),
    step("GET /me?{canary}", expect=Expect(contains=("{user.name}", "{canary}"))),
    step("GET /sync?{canary}", expect=Expect(contains=("{canary}",))),
    step("GET /stream?{canary}", expect=Expect(contains=("{canary}",))),
    step("GET /stream_sync?{canary}", expect=Expect(contains=("{canary}",))),
    step("GET /background?{canary}", expect=Expect(contains=("{canary}",))),
    step("GET /fails?{canary}", expect=Expect(status=(500,))),
)

PLAIN = """
import asyncio, contextvars
from urllib.parse import parse_qs

tag = contextvars.ContextVar("tag")

async def body_of(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    token = tag.set(scope["query_string"])
    try:
        await answer(scope, receive, send)
    finally:
        tag.reset(token)

async def answer(scope, receive, send):
    headers = []
    cookies = dict(scope["headers"]).get(b"cookie", b"")
    if scope["path"] == "/login":
        name = parse_qs((await body_of(receive)).decode())["name"][0]
        headers.append((b"set-cookie", b"name=" + name.encode()))
    if scope["path"] == "/fails":
        raise ValueError("on purpose")
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in (cookies, b" ", tag.get()):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})
    if scope["path"] == "/background":
        await asyncio.sleep(0)
"""

STARLETTE = """
import asyncio, contextlib, contextvars
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

tag = contextvars.ContextVar("tag")

class Tagged(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        token = tag.set(request.url.query)
        try:
            return await call_next(request)
        finally:
            tag.reset(token)

@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"greeting": "hello"}

async def login(request):
    body = b""
    async for part in request.stream():
        body += part
    request.session["name"] = body.decode().partition("=")[2]
    return PlainTextResponse(request.state.greeting)

async def me(request):
    await asyncio.sleep(0)
    return PlainTextResponse(request.session.get("name", "") + tag.get())

def sync(request):
    return PlainTextResponse(tag.get())

async def stream(request):
    async def parts():
        for part in ("a ", request.url.query, " b"):
            yield part
            await asyncio.sleep(0)
    return StreamingResponse(parts())

async def stream_sync(request):
    return StreamingResponse(iter(["a ", request.url.query, " b"]))

async def background(request):
    async def later():
        await asyncio.sleep(0)
    return PlainTextResponse(tag.get(), background=BackgroundTask(later))

async def fails(request):
    raise ValueError("on purpose")

views = (me, sync, stream, stream_sync, background, fails)
app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/login", login, methods=["POST"]),
        *(Route(f"/{view.__name__}", view) for view in views),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key="s"), Middleware(Tagged)],
)
"""

FASTAPI = """
import asyncio
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI(default_response_class=PlainTextResponse)
app.add_middleware(SessionMiddleware, secret_key="s")

async def tagged(request: Request):
    yield request.url.query

@app.post("/login")
async def login(request: Request):
    request.session["name"] = (await request.body()).decode().partition("=")[2]
    return "ok"

@app.get("/me")
async def me(request: Request, tag: str = Depends(tagged)):
    await asyncio.sleep(0)
    return request.session.get("name", "") + tag

@app.get("/sync")
def sync(tag: str = Depends(tagged)):
    return tag

@app.get("/stream")
async def stream(request: Request):
    async def parts():
        yield "a"
        await asyncio.sleep(0)
        yield request.url.query
    return StreamingResponse(parts())

@app.get("/stream_sync")
def stream_sync(request: Request):
    return StreamingResponse(iter(["a ", request.url.query]))

@app.get("/background")
def background(request: Request, tasks: BackgroundTasks):
    tasks.add_task(lambda: None)
    return request.url.query

@app.get("/fails")
async def fails():
    raise ValueError("on purpose")
"""

QUART = """
import asyncio
from quart import Quart, Response, g, request, session, stream_with_context

app = Quart(__name__)
app.secret_key = "s"

@app.before_request
async def before():
    g.tag = request.query_string.decode()

@app.post("/login")
async def login():
    session["name"] = (await request.form)["name"]
    return "ok"

@app.get("/me")
async def me():
    await asyncio.sleep(0)
    return session.get("name", "") + g.tag

@app.get("/sync")
def sync():
    return g.tag

@app.get("/stream")
async def stream():
    @stream_with_context
    async def parts():
        yield "a"
        await asyncio.sleep(0)
        yield request.query_string.decode()
    return parts()

@app.get("/stream_sync")
async def stream_sync():
    return Response(iter(["a ", g.tag]))

@app.get("/background")
async def background():
    async def later():
        await asyncio.sleep(0)
    app.add_background_task(later)
    return g.tag

@app.get("/fails")
async def fails():
    raise ValueError("on purpose")
"""

DJANGO = """
import asyncio
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="s",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="app",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    LOGGING_CONFIG=None,
)

def query(request):
    return request.META["QUERY_STRING"]

def login(request):
    request.session["name"] = request.POST["name"]
    return HttpResponse("ok")

async def me(request):
    await asyncio.sleep(0)
    return HttpResponse(request.session.get("name", "") + query(request))

def sync(request):
    return HttpResponse(query(request))

async def stream(request):
    async def parts():
        yield "a"
        await asyncio.sleep(0)
        yield query(request)
    return StreamingHttpResponse(parts())

async def background(request):
    return HttpResponse(query(request))

async def stream_sync(request):
    return HttpResponse(iter(["a ", query(request)]))

async def fails(request):
    raise ValueError("on purpose")

views = (login, me, sync, stream, stream_sync, background, fails)
urlpatterns = [path(view.__name__, view) for view in views]
app = get_asgi_application()
"""
