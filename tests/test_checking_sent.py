"""check sends what makes users differ: where all say the same, nobody could tell whose is whose."""

import pytest

NUMBERS = """
import asyncio
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
app = FastAPI()
class Wish(BaseModel):
    age: int = Field(ge=0)
    smoker: bool = False
class Tariff:
    async def of(self, wish):
        self.wish = wish
        await asyncio.sleep(0.002)
        return 100 + 3 * self.wish.age
tariff = Tariff()
@app.post("/quote")
async def quote(wish: Wish): return {"premium": await tariff.of(wish)}
@app.get("/agent")
async def agent(x_agent: str = Header()): return {"agent": x_agent}
"""
PICKED = """
import asyncio
class Identity:
    user = b"nobody"
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http": raise RuntimeError("no lifespan")
        for name, value in scope["headers"]:
            if name.lower() == b"x-user":
                self.user = value
        await asyncio.sleep(0.001)
        body = b"hello " + self.user if scope["path"] == "/profile" else scope["query_string"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
app = Identity()
"""
COMPARED = """
import asyncio, io
from typing import Annotated
from fastapi import Depends, FastAPI, Header, Query, Response
app = FastAPI()
class Table:
    async def of(self, account):
        self.out = io.StringIO()
        for _ in range(3):
            self.out.write(account + ";")
            await asyncio.sleep(0)
        return self.out.getvalue()
table = Table()
Account = Annotated[str, Header(alias="x-account")]
@app.get("/movements")
async def movements(who: Account, kind: Annotated[str, Query(alias="format")] = "json"):
    if kind == "table":
        return Response(await table.of(who))
    return {"account": who}
"""
NAMED_ALIKE = """
import pathlib, tempfile, time
from flask import Flask, request
app = Flask(__name__)
folder = pathlib.Path(tempfile.mkdtemp())
@app.post("/scan")
def scan():
    file = request.files["document"]
    path = folder / file.filename
    file.save(path)
    time.sleep(0.002)
    return request.form["owner"] + ": " + path.read_text()
"""
SHORT = """
import asyncio
from fastapi import FastAPI, HTTPException, Header
from pydantic import BaseModel, Field
app = FastAPI()
class Sign(BaseModel):
    title: str = Field(min_length=3, max_length=20)
class Renderer:
    async def draw(self, sign):
        self.sign = sign
        await asyncio.sleep(0.002)
        return f"<text>{self.sign.title}</text>"
renderer = Renderer()
@app.post("/signs")
async def sign(sign: Sign): return {"svg": await renderer.draw(sign)}
@app.get("/me")
async def me(x_user: str = Header()): return {"me": x_user}
"""
CURSOR = """
from flask import Flask, abort, request
app = Flask(__name__)
pages = {}
@app.get("/orders")
def orders():
    user, cursor = request.headers["X-User"], request.args.get("cursor")
    if cursor and cursor not in pages: abort(400)
    owner, page = pages[cursor] if cursor else (user, 1)
    word = f"p{page + 1}"
    pages[word] = owner, page + 1
    return {"of": owner, "page": page, "next_cursor": word if page < 3 else None}
"""
DATES = """
import asyncio, datetime
from fastapi import FastAPI, Header
app = FastAPI()
state = {}
@app.get("/days")
async def days(since: datetime.date):
    state["since"] = since
    await asyncio.sleep(0.002)
    return {"weekday": state["since"].strftime("%A")}
@app.get("/me")
async def me(x_user: str = Header()): return {"me": x_user}
"""
BEARER = """
from flask import Flask, Response, abort, request
app = Flask(__name__)
pages = {}
@app.before_request
def known():
    kind, _, request.token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer": abort(401)
@app.get("/summary")
def summary():
    key = request.full_path
    return pages.setdefault(key, f"{request.token} has 12 {request.args.get('currency', 'EUR')}")
"""
TASKS = {"workers": ["tasks:20"], "requests": 800}
CASES = {
    "numbers": (NUMBERS, "await tariff.of", "await Tariff().of", {"unsafe": True, **TASKS}),
    "picked": (PICKED, "        for name", "        self = Identity()\n        for name", TASKS),
    "short": (SHORT, "await renderer.", "await Renderer().", {"unsafe": True, **TASKS}),
    "cursor": (CURSOR, 'word = f"', 'word = f"{user}-', {"requests": 400}),
    "dates": (DATES, '    state["since"] =', '    state = {}\n    state["since"] =', TASKS),
    "bearer": (BEARER, "key = ", "key = request.token + ", {"keeps": ["checked:pages"]}),
    "compared": (COMPARED, "await table.of", "await Table().of", TASKS),
    "named alike": (
        NAMED_ALIKE,
        "folder /",
        "pathlib.Path(tempfile.mkdtemp()) /",
        {"unsafe": True, "workers": ["threads:8"], "requests": 600},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_leaks_shows_where_users_send_what_is_their_own(checked, name):
    text, _, _, keys = CASES[name]
    outcome = checked(text, **keys)
    assert outcome.exit_code == 1, outcome.document
    assert {finding.code for finding in outcome.findings} & {"CTX201", "CTX208"}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_is_clean_all_the_same(checked, name):
    text, wrong, right, keys = CASES[name]
    outcome = checked(text.replace(wrong, right), **keys)
    assert outcome.exit_code == 0, outcome.document
