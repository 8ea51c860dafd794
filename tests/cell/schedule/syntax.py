"""What compilers of several versions make something else of, line by line."""
# fmt: off

import asyncio
import contextlib
import functools


class Row:
    def __init__(self, name):
        self.name = name

    @property
    def upper(self):
        return self.name.upper()


ROWS = [Row("a"), Row("b"), Row("c")]


@contextlib.contextmanager
def managed():
    seen = []
    try:
        yield seen
    finally:
        seen.append(1)


def loops():
    total = 0
    for row in ROWS: total += len(row.name)
    for row in ROWS:
        if row.name == "b":
            continue
        total += 1
    else:
        total += 1
    while total < 8: total += 1
    while True:
        total += 1
        if total > 10:
            break
    for left, right in zip(
        ROWS,
        reversed(ROWS),
    ):
        total += len(left.name)
    return total


def one_line_comprehensions():
    a = [row.name for row in ROWS]
    b = {row.name: row for row in ROWS if row.name != "b"}
    c = {row.upper for row in ROWS}
    d = sum(len(row.name) for row in ROWS)
    e = [x + y for x in a for y in [z for z in a]]
    return a, b, c, d, e


def long_comprehensions():
    a = [
        row.name
        for row in ROWS
        if row.name != "b"
    ]
    b = {
        row.name: [
            other.name
            for other in ROWS
        ]
        for row in ROWS
    }
    c = sum(
        len(row.name)
        for row in ROWS
    )
    d = [row.name
         for row in ROWS]
    e = sorted(
        (row for row in ROWS if
         row.name),
        key=lambda row:
            row.name,
    )
    return a, b, c, d, e


def closures():
    least = "b"
    total = 0
    found = [
        row
        for row in ROWS
        if row.name >= least
    ]

    def inner():
        nonlocal total
        total += 1
        return [row.name for row in ROWS if row.name > least]
    return found, inner(), total


def trying(what):
    try:
        if what == 1:
            raise ValueError(what)
        elif what == 2:
            return "in try"
    except ValueError as error:
        kept = str(error)
    else:
        kept = "else"
    finally:
        done = True
    try:
        raise KeyError
    except (KeyError,
            IndexError):
        pass
    for _ in range(2):
        try:
            if what == 3:
                break
        finally:
            done = False
    with contextlib.suppress(ZeroDivisionError):
        1 / 0
    try:
        try:
            raise KeyError("x")
        except ValueError:
            pass
    except KeyError:
        done = 3
    return kept, done


def withs():
    with managed() as one, managed() as two:
        one.append(2)
        two.append(3)
    with (
        managed() as three,
        managed() as four,
    ):
        three.append(four)
    with managed() as five:
        return len(five)


def matching(what):
    match what:
        case {"name": str(name)} if name:
            return name
        case [first, *rest]:
            return first, rest
        case Row(name=name):
            return name
        case "a" | "b":
            return 1
        case _:
            return None


def expressions(what):
    value = (
        what
        and len(str(what))
        or 0
    )
    other = (1 if value > 3
             else 2 if value
             else 3)
    text = f"""{value}
    {other} {
        value + other}"""
    call = dict(
        a=value,
        b=other,
        **{"c": text},
    )
    chained = 0 < value < 100
    if (value and
            other and
            chained):
        value += 1
    if not value: other = 3
    assert value is not None, (
        "no value")
    (first,
     second) = (value,
                other)
    ROWS[0].name = \
        "a"
    del first, second
    if (found := call.get("a")) is not None: return found
    return value


def generators():
    def numbers():
        yield 1
        got = yield 2
        yield from [3, 4]
        return got
    made = numbers()
    out = [next(made)]
    out += list(made)
    return out


@functools.lru_cache(maxsize=None)
def decorated(
    what=1,
    other=len("x"),
):
    """Words."""
    @functools.wraps(len)
    def wrapped(x):
        return len(x)

    class Local:
        words = [x for x in "ab"]
        def method(self):
            return super().__repr__()
    Local().method()
    return wrapped("abc")


def nothing():
    """Does nothing."""


def passing(): pass


def branches(one, other):
    value = one or other or len("abc")
    value = value if value > 3 else other
    found = (
        value
        if value
        else other if other else one
    )
    while True:
        value += 1
        if value > 5: break
    while True:
        value = value + 1 if value < 9 else raises()


def raises():
    raise LookupError


def lambdas():
    key = lambda row: -len(row.name)
    late = lambda: (
        len(ROWS)
        + 1
    )
    return sorted(ROWS, key=key), late(), (lambda: None)()


async def waits():
    async def numbers():
        for n in range(3):
            await asyncio.sleep(0)
            yield n

    @contextlib.asynccontextmanager
    async def managed():
        await asyncio.sleep(0)
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
    total = 0
    async for number in numbers():
        total += number
    async with managed() as one:
        total += one
    names = [n async for n in numbers()]
    more = [
        n + await asyncio.sleep(0, 1)
        async for n in numbers()
        if n
    ]
    try:
        await asyncio.wait_for(
            asyncio.sleep(0),
            timeout=1,
        )
    except TimeoutError:
        total = 0
    async with managed():
        return total, names, more


def all_of_it():
    loops()
    one_line_comprehensions()
    long_comprehensions()
    closures()
    for n in range(4): trying(n)
    withs()
    for each in ({"name": "x"}, [1, 2], Row("b"), "a", 3): matching(each)
    expressions("abc")
    expressions("")
    generators()
    decorated.cache_clear()
    decorated()
    nothing()
    passing()
    for one, other in ((0, 4), (4, 0), (0, 0)):
        with contextlib.suppress(LookupError):
            branches(one, other)
    lambdas()
