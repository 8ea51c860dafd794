"""Retention, CTX402: told with the path of each store, and silent where nothing is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driving import DEFAULT_FAULTS, live, plan_of, step

from ctxsim.cell.plan import Load, Shared, Users

SAY = "GET /say?tag={canary}"
WORDS = ("sync", "threads:4", "greenlets:20", "tasks:10", "tasks:10:to_thread")

APP = """
import collections, contextvars, functools, threading, types
from urllib.parse import parse_qs

class Entry:
    def __init__(self, user):
        self.user = user

class Slotted:
    __slots__ = ("tag",)
    def __init__(self, tag):
        self.tag = tag

class State:
    last = None

class Node:
    def __init__(self, value, next):
        self.value, self.next = value, next

CACHE, ENTRIES, STATE = {{}}, [], types.SimpleNamespace()
chain = None
last = None
history = contextvars.ContextVar("history")
local = threading.local()

@functools.lru_cache(maxsize=None)
def looked_up(tag):
    return [tag]

@functools.lru_cache
def sized(tag):
    return [tag]

def remembering(seen={{}}, /):
    return seen

def make():
    kept = []
    def remember(tag):
        kept.append(tag)
    return remember
remember = make()
generators = []

def lasting(tag):
    yield tag

def app(environ, start_response):
    global last, chain
    tag = parse_qs(environ["QUERY_STRING"]).get("tag", ["none"])[0]
    {keep}
    start_response("200 OK", [])
    return [tag.encode()]
"""

KEEPS = {
    "a variable": ("last = tag", "app.last", 1),
    "an attribute": ("STATE.last = tag", "app.STATE.last", 1),
    "a dict's entry": ("CACHE['user'] = tag", "app.CACHE['user']", 1),
    "a dict by data": ("CACHE[tag] = 1", "app.CACHE[...]", 200),
    "a list of objects": ("ENTRIES.append(Entry(tag))", "app.ENTRIES[...]", 200),
    "objects with slots": ("ENTRIES.append(Slotted(tag))", "app.ENTRIES[...]", 200),
    "bytes": ("ENTRIES.append(tag.encode())", "app.ENTRIES[...]", 200),
    "the environ": ("last = environ", "app.last", 1),
    "a class's attribute": ("State.last = tag", "app.State.last", 1),
    "a cache of a function": ("looked_up(tag)", "app.looked_up(...)", 200),
    "a default argument": (
        "remembering()['last'] = tag",
        "default argument seen of app.remembering['last']",
        1,
    ),
    "a closure": ("remember(tag)", "closure variable kept of app.remember[...]", 200),
    "a chain": ("chain = Node(tag, chain)", "app.chain", 200),
    "generators": (
        "each = lasting(tag); next(each); generators.append(each)",
        "app.generators[...]",
        200,
    ),
}


def carried(application, keep, word="sync", **keys):
    target = application(APP.format(keep=keep))
    return live(plan_of(SAY, target=target, workers=word, **keys)).finished()


def test_where_retention_is_no_matter_nothing_is_counted(application):
    """To look takes longer than to carry a few hundred requests."""
    keep, _, _ = KEEPS["a list of objects"]
    found = carried(application, keep, retention=False)
    assert not found.findings, found.told()
    assert found.tally.requests == 200


@pytest.mark.parametrize("kind", KEEPS)
def test_a_store_is_told_by_its_path_and_how_many_requests_it_keeps(application, kind):
    """Each kind of store is one finding, with the path from its module."""
    keep, place, count = KEEPS[kind]
    found = carried(application, keep)
    told = {(f.code, f.cause[2]): f.count for f in found.findings}
    assert told.pop(("CTX402", place)) == count, found.told()
    assert not told, found.told()


@pytest.mark.parametrize("word", WORDS)
def test_it_is_told_under_each_worker_model(application, word):
    """Who carried the requests makes no difference."""
    found = carried(application, "ENTRIES.append(Entry(tag))", word)
    assert found.codes == {"CTX402"}, found.told()
    assert found.tally.requests == 200


@pytest.mark.parametrize("word", WORDS)
def test_an_application_that_keeps_nothing_is_clean(application, word):
    """Neither ctxsim's own objects nor the interpreter's count."""
    found = carried(application, "pass", word)
    assert found.codes == set(), found.told()


def test_what_is_named_is_no_retention(application):
    """`keeps` and `shared` excuse a module, a variable, an object or a class by name."""
    for keeps in ("app", "app:ENTRIES", "app:Entry"):
        found = carried(application, "ENTRIES.append(Entry(tag))", keeps=(keeps,))
        assert found.codes == set(), (keeps, found.told())
    shared = Shared(objects=("app:last",))
    assert carried(application, "last = tag", shared=shared).codes == set()
    assert carried(application, "last = tag", shared=Shared(routes=("/say",))).codes == set()


def test_a_name_excuses_nothing_else(application):
    """The other store of the same module is told, though it holds the same texts."""
    found = carried(application, "last = tag; CACHE['user'] = tag", keeps=("app:last",))
    assert {f.cause[2] for f in found.findings} == {"app.CACHE['user']"}, found.told()


def test_a_users_own_name_is_no_request(application):
    """A store of users holds their canaries by right."""
    asked = step("GET /say?tag={user.canary}", mine=("{user.name}",))
    target = application(APP.format(keep="CACHE[tag] = 1"))
    assert live(plan_of(asked, target=target)).finished().codes == set()


@pytest.mark.parametrize(
    ("keep", "codes"),
    [
        ("CACHE.setdefault(user, []).append(tag)", set()),
        ("CACHE.setdefault((user, 'cart'), Entry([])).user.append(tag)", set()),
        ("CACHE.setdefault(int('0' + user[4:]), {}).update(tag=tag)", set()),
        ("CACHE.setdefault('all', []).append((user, tag))", {"CTX402"}),
        # Of many keys some are users' own.
        ("CACHE[user] = tag; CACHE[tag[::-1]] = 1", set()),
        ("CACHE[tag[::-1]] = tag; CACHE[user] = tag", {"CTX402"}),
        ("CACHE.setdefault(last, []).append(tag); last = user", {"CTX402"}),
        ("CACHE.setdefault(user, []).append(tag); ENTRIES.append(tag)", {"CTX402"}),
    ],
)
def test_what_is_kept_under_a_users_own_key_is_that_users(application, keep, codes):
    """A cart or a profile, found by whose it is; not what is kept of one user under another's."""
    source = APP.format(keep=f"user = environ.get('HTTP_X_USER', ''); {keep}")
    asked = step(SAY, headers=(("X-User", "{user.name}"),), mine=("{user.name}",))
    users = Users(count=20, visitor=False, vars=(("name", "user{n}"),))
    found = live(plan_of(asked, target=application(source), users=users)).finished()
    assert found.codes == codes, found.told()


def test_a_text_that_is_the_key_of_several_dicts_is_told_of_each(application):
    """Each is a store of its own."""
    found = carried(application, "CACHE[tag] = 1; remembering()[tag] = 1")
    places = {"app.CACHE[...]", "default argument seen of app.remembering[...]"}
    assert {f.cause[2] for f in found.findings} == places, found.told()


PILES = {
    "a list of objects": ("ENTRIES.append(Entry(tag))", {"app.ENTRIES[...]": 200}),
    "a dict by what differs": ("CACHE[object()] = {'user': tag}", {"app.CACHE[...]": 200}),
    "what of some requests fails before": (
        "len(ENTRIES) % 10 or ENTRIES.append(None); ENTRIES.append(tag)",
        {"app.ENTRIES[...]": 200},
    ),
    "a row for each user": ("tag in CACHE or ENTRIES.append(Entry(tag)); CACHE[tag] = 1", {}),
    "sessions by user": ("CACHE.setdefault('s' + tag, Entry(tag))", {}),
    "what is filed under users' keys": ("CACHE.setdefault(tag, []).append(Entry(tag))", {}),
    "the last ones": ("ENTRIES.append(Entry(tag)); del ENTRIES[:-100]", {}),
    "the last five of each user": (
        "mine = CACHE.setdefault('of ' + tag, []); mine.append(Entry(tag)); del mine[:-5]",
        {},
    ),
    "a cache that is bounded": ("sized(tag + str(len(ENTRIES))); ENTRIES.append(1)", {}),
    "each fourth one": ("CACHE['n'] = CACHE.get('n', 0) + 1; "
        "CACHE['n'] % 4 or ENTRIES.append(Entry(tag))", {}),
}  # fmt: skip


def carried_for_users(application, keep, *asked, **keys):
    users = Users(count=20, visitor=False, vars=(("name", "user{n}"),))
    target = application(APP.format(keep=keep))
    return live(plan_of(*asked, target=target, users=users, **keys)).finished()


@pytest.mark.parametrize("kind", PILES)
def test_a_users_own_value_that_piles_up_is_retention(application, kind):
    """One more holder for each safe request is told; a store of users and a bounded one are not."""
    keep, places = PILES[kind]
    found = carried_for_users(application, keep, step("GET /say?tag={user.canary}"))
    assert {f.cause[2]: f.count for f in found.findings} == places, found.told()


def test_what_other_methods_store_is_not_judged(application):
    """An order history holds a row for each request, and was asked to."""
    for asked in (
        [step("POST /say?tag={user.canary}")],
        [step("GET /say?tag={user.canary}"), step("POST /order")],
    ):
        found = carried_for_users(application, "ENTRIES.append(Entry(tag))", *asked)
        assert found.codes == set(), found.told()


@pytest.mark.parametrize(
    ("keep", "answer", "method", "codes"),
    [
        ("ENTRIES.append((user, tag))", "told(user)", "POST", set()),
        ("CACHE[len(CACHE)] = Entry((user, tag))", "told(user)", "PUT", set()),
        # What nobody asks for again, and what nobody sent to be kept, is no store of theirs.
        ("ENTRIES.append((user, tag))", "tag", "POST", {"CTX402"}),
        ("ENTRIES.append((user, tag))", "told(user)", "GET", {"CTX402"}),
        # An index of such a store holds the same.
        ("CACHE[tag] = 1; ENTRIES.append((user, tag))", "told(user)", "POST", set()),
        ("STATE.last = tag; ENTRIES.append((user, 'x'))", "told(user)", "POST", {"CTX402"}),
    ],
)
def test_what_was_sent_to_be_kept_and_is_given_back_is_a_store(
    application, keep, answer, method, codes
):
    """Orders in a list, or by a number of their own, which are shown to whoever sent them."""
    source = APP.format(keep=f"user = environ.get('HTTP_X_USER', ''); {keep}")
    source = source.replace("return [tag.encode()]", f"return [({answer}).encode()]") + (
        "\ndef told(user):\n"
        "    kept = [*ENTRIES, *(each.user for each in CACHE.values() if type(each) is Entry)]\n"
        "    return ' '.join(each[1] for each in kept if each[0] == user)\n"
    )
    asked = step(f"{method} /say?tag={{canary}}", headers=(("X-User", "{user.name}"),))
    users = Users(count=20, visitor=False, vars=(("name", "user{n}"),))
    found = live(plan_of(asked, target=application(source), users=users)).finished()
    assert found.codes == codes, found.told()


SESSIONS = (
    APP.replace('start_response("200 OK", [])', 'start_response("200 OK", given)')
    + """
import itertools
NUMBERS = itertools.count(10**9)

def session_of(environ, given):
    cookies = dict(c.split("=") for c in environ.get("HTTP_COOKIE", "").split("; ") if c)
    sid = cookies.get("sid")
    if sid not in CACHE:
        sid = "key%d" % next(NUMBERS)
        CACHE[sid] = {{"cart": []}}
        given.append(("Set-Cookie", "sid=%s; Path=/" % sid))
    return CACHE[sid]

def one_for_each(environ, given):
    number = "key%d" % next(NUMBERS)
    given.append(("Set-Cookie", "request=" + number))
    return CACHE.setdefault(number, {{"cart": []}})

LAST = [{{}}]

def of_the_one_before(environ, given):
    session = session_of(environ, given)
    session["number"] = session.get("number", next(NUMBERS))
    before, LAST[0] = LAST[0], session
    # Some sessions keep nothing else, the others what is their users' own.
    return before if session["number"] % 3 == 0 else session
"""
)


@pytest.mark.parametrize(
    ("keep", "codes"),
    [
        ("session_of(environ, given)['cart'].append(tag)", set()),
        # The numbers of requests, which give way to the next one, are no sessions.
        ("one_for_each(environ, given)['cart'].append(tag)", {"CTX402"}),
        # Nor are they where what is kept in a session is anybody's.
        ("session_of(environ, given); ENTRIES.append(tag)", {"CTX402"}),
        ("session_of(environ, given)['cart'] = ENTRIES; ENTRIES.append(tag)", {"CTX402"}),
        # Nor is it what is under the key of one user, and another one's.
        ("of_the_one_before(environ, given)['last'] = tag", {"CTX402"}),
    ],
)
@pytest.mark.parametrize("cookie", [(), (("Cookie", "sid={canary}"),)])
def test_what_a_session_keeps_whose_key_is_a_users_cookie_is_no_retention(
    application, keep, codes, cookie
):
    """Sessions in memory, be they of users, of visitors, or for a key that nobody was given."""
    target = application(SESSIONS.format(keep=f"given = []; {keep}"))
    asked = step(SAY, headers=cookie)
    found = live(plan_of(asked, SAY, target=target, faults=DEFAULT_FAULTS)).finished()
    assert found.codes == codes, found.told()


def test_users_values_that_pile_up_are_excused_by_name(application):
    """By `keeps` and by `shared`, as those of requests are."""
    asked = step("GET /say?tag={user.canary}")
    for keys in ({"keeps": ("app:ENTRIES",)}, {"shared": Shared(routes=("/say",))}):
        found = carried_for_users(application, "ENTRIES.append(Entry(tag))", asked, **keys)
        assert found.codes == set(), found.told()


@pytest.mark.parametrize(("made", "codes"), [("maxlen=500", set()), ("", {"CTX402"})])
def test_a_deque_that_is_bounded_is_no_retention(application, made, codes):
    """A log of the last requests, whose length is written beside it."""
    source = APP.format(keep="LOG.append((tag, 1))")
    target = application(f"{source}\nLOG = collections.deque({made})\n")
    found = live(plan_of(SAY, target=target)).finished()
    assert found.codes == codes, found.told()


@pytest.mark.parametrize(
    ("keep", "codes"),
    [
        ("CACHE[tag] = 1; len(CACHE) > 12 and CACHE.pop(next(iter(CACHE)))", set()),
        ("CACHE[tag[:-2]] = tag", {"CTX402"}),
        # Emptied when it is full, of which there were a few again.
        ("QUEUE.append(1); len(QUEUE) % 13 or CACHE.clear(); CACHE[tag] = 1", set()),
        ("small(tag)", set()),
        # However few of them have come.
        ("sized(tag)", set()),
        ("QUEUE.append(1); len(QUEUE) > 120 and ENTRIES.append(tag)", {"CTX402"}),
        ("QUEUE.append(tag); len(QUEUE) > 1 and QUEUE.popleft()", set()),
        ("QUEUE.append(tag); len(QUEUE) > 1 and QUEUE.pop()", {"CTX402"}),
    ],
)
def test_what_gives_way_to_newer_values_is_no_retention(application, keep, codes):
    """A cache that ends what it keeps is bounded; what holds values of the whole run is not."""
    source = APP.format(keep=keep)
    source += "\nQUEUE = collections.deque()"
    target = application(f"{source}\nsmall = functools.lru_cache(maxsize=12)(str.upper)\n")
    found = live(plan_of(SAY, target=target)).finished()
    assert found.codes == codes, found.told()


# What matters of cachelib and of cachetools: their classes, and where these keep what.
CACHELIB = """
class SimpleCache:
    def __init__(self, threshold=500):
        self._cache, self._threshold = {}, threshold
    def set(self, key, value):
        self._cache[key] = value
"""
CACHETOOLS = """
class Cache:
    def __init__(self, maxsize):
        self.__data, self.__maxsize = {}, maxsize
    def set(self, key, value):
        self.__data[key] = value
"""
HOLDER = """
from urllib.parse import parse_qs
{made}

def app(environ, start_response):
    tag = parse_qs(environ["QUERY_STRING"]).get("tag", ["none"])[0]
    CACHE.set(tag, [tag])
    start_response("200 OK", [])
    return [tag.encode()]
"""


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        ("from cachelib.simple import SimpleCache\nCACHE = SimpleCache()", set()),
        ("import cachetools\nclass Mine(cachetools.Cache): pass\nCACHE = Mine(500)", set()),
        ("import cachetools\nCACHE = cachetools.Cache(float('inf'))", {"CTX402"}),
    ],
)
def test_a_librarys_cache_that_has_a_bound_is_no_retention(application, tmp_path, made, codes):
    """What is there may be of the whole run, since the run may be shorter than it takes to fill."""
    packages = tmp_path / "site-packages"
    (packages / "cachelib").mkdir(parents=True)
    (packages / "cachelib" / "simple.py").write_text(CACHELIB)
    (packages / "cachetools.py").write_text(CACHETOOLS)
    target = application(HOLDER.format(made=made))
    target = replace(target, path=(*target.path, str(packages)))
    assert live(plan_of(SAY, target=target)).finished().codes == codes


CONSUMER = """
import queue, threading
jobs = queue.Queue()
def consume():
    while True:
        {hold}
        written.set()
threading.Thread(target=consume, daemon=True).start()
"""


@pytest.mark.parametrize(
    ("hold", "codes"),
    [
        ("job, written = jobs.get()", set()),
        ("job, written = jobs.get(); first = locals().get('first', job)", {"CTX402"}),
    ],
)
def test_the_last_value_in_the_variable_of_a_loop_is_no_retention(application, hold, codes):
    """It stays until the next one comes; the first one of a run stays for good."""
    keep = "written = threading.Event(); jobs.put((tag, written)); written.wait()"
    target = application(CONSUMER.format(hold=hold) + APP.format(keep=keep))
    found = live(plan_of(SAY, target=target)).finished()
    assert found.codes == codes, found.told()


def test_a_value_of_a_workers_own_is_told_where_several_gather(application):
    """One value that waits for the next request is residue; a list that grows is retention."""
    found = carried(application, "local.__dict__.setdefault('all', []).append(tag)")
    places = {f.cause[2] for f in found.findings if f.code == "CTX402"}
    assert places == {"thread-local app.local.all[...]"}, found.told()
    assert "CTX402" not in carried(application, "local.last = tag").codes
    assert "CTX402" not in carried(application, "history.set(tag)").codes


LIBRARY = """
last, log, recent = None, [], __import__("collections").deque(maxlen=20)
"""
IMPORTING = """
import library
from library import log, recent
"""


@pytest.mark.parametrize(
    ("keep", "codes"),
    [
        ("library.last = tag", set()),
        ("recent.append(tag)", set()),
        ("log.append(tag)", {"CTX402"}),
    ],
)
def test_a_library_may_keep_a_few_but_must_not_grow(application, tmp_path, keep, codes):
    """What is bounded in a library is its cache; what holds values of the whole run is a leak."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "library.py").write_text(LIBRARY)
    target = application(IMPORTING + APP.format(keep=keep))
    target = replace(target, path=(*target.path, str(folder)))
    found = live(plan_of(SAY, target=target)).finished()
    assert found.codes == codes, found.told()


THREAD = """
def wait(tag):
    done.wait()
if not ENTRIES:
    ENTRIES.append(1)
    threading.Thread(target=wait, args=(tag,), daemon=True).start()
"""


def test_work_that_goes_on_is_told_by_its_frame(application):
    """A thread that never ends keeps what it was given."""
    keep = THREAD.replace("\n", "\n    ")
    target = application("import threading\ndone = threading.Event()\n" + APP.format(keep=keep))
    found = live(plan_of(SAY, target=target)).finished()
    assert [f.cause[2] for f in found.findings] == ["frame of wait() in app.py: tag"]
    assert found.findings[0].where[0].function == "wait"


def test_a_run_that_is_stopped_or_rehearsed_is_not_counted(application):
    """Only what was carried to its end, by many, can be judged."""
    found = carried(application, "ENTRIES.append(tag)", only_user=1, load=Load(requests=20))
    assert found.codes == set(), found.told()
