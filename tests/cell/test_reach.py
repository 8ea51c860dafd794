"""The search behind the census: it finds what can be reached, and nothing else."""

from __future__ import annotations

import builtins
import gc
import re
import types

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.witness.reach import Walk
from ctxsim.cell.witness.stores import Root, stores

PREFIX = "cx0badcafe"
# Functions lead to these, and they to everything there is.
BARRED = [globals(), vars(builtins)]


class Plain:
    pass


class Slotted:
    __slots__ = ("to",)


def holding(things, kind):
    """An object of `kind` that holds `things`."""
    if kind == "object":
        made = Plain()
        for i, each in enumerate(things):
            setattr(made, f"to{i}", each)
        return made
    if kind == "slots":
        made = Slotted()
        made.to = tuple(things)
        return made
    makers = {
        "closure": lambda each: lambda: each,
        "default": lambda each: lambda given=tuple(each): given,
        "class": lambda each: type("Made", (), {"things": each}),
        "namespace": lambda each: types.SimpleNamespace(things=each),
        "dict": lambda each: dict(enumerate(each)),
        "list": list,
        "tuple": tuple,
    }
    return makers[kind](things)


KINDS = st.sampled_from(
    ["list", "tuple", "dict", "object", "slots", "closure", "default", "class", "namespace"]
)
GRAPHS = st.lists(st.tuples(KINDS, st.lists(st.integers(0, 30), max_size=4)), min_size=1)


@given(GRAPHS, st.integers(0, 30))
def test_a_text_is_found_if_and_only_if_it_can_be_reached(graph, start):
    """On any graph of objects: each has a text of its own, and leads to earlier ones."""
    made, below = [], []
    for number, (kind, links) in enumerate(graph):
        to = [link for link in links if link < number]
        made.append(holding([f"{PREFIX}-{number}", *(made[link] for link in to)], kind))
        below.append({number}.union(*(below[link] for link in to)))
    start %= len(made)
    root = Root({"start": made[start]}, "module")
    tree = Walk(PREFIX, lambda text: [text], BARRED).from_([root.thing])
    expected = {f"{PREFIX}-{number}" for number in below[start]}
    assert {text for held in tree.canaries.values() for text in held} == expected
    told = [store for store in stores(tree, root) if store.canaries]
    assert set().union(*(store.canaries for store in told)) == expected
    assert all(store.place.count("module.start") == 1 for store in told)


def test_a_key_is_found_like_a_value():
    """The keys of a dict are no referents of it."""
    root = Root({"seen": {f"{PREFIX}-key": 1}}, "module")
    tree = Walk(PREFIX, lambda text: [text], BARRED).from_([root.thing])
    assert [store.place for store in stores(tree, root)] == ["module.seen[...]"]


def test_a_key_is_found_elsewhere_too():
    """That a text is the key of one dict hides none of the other places that hold it."""
    key = f"{PREFIX}-key"
    root = Root({"seen": {key: 1}, "last": [[[key]]]}, "module")
    tree = Walk(PREFIX, lambda text: [text], BARRED).from_([root.thing])
    places = {store.place for store in stores(tree, root)}
    assert places == {"module.seen[...]", "module.last[...]"}


def test_one_among_very_many_is_found():
    """Objects are looked at in bulk: none is lost at an edge, and none is told twice."""
    for at in (0, 999, 1000, 1001, 2500):
        texts = [f"text {i}" for i in range(2501)]
        texts[at] = f"{PREFIX}-{at}"
        things = [[text, text, 1, None] for text in texts]
        root = Root({"things": things, "again": things, "texts": texts}, "module")
        tree = Walk(PREFIX, lambda text: [text], BARRED).from_([root.thing])
        assert list(tree.canaries.values()) == [[texts[at]]]


def test_a_text_is_found_in_classes_of_every_kind():
    """What a class is, is learnt from the first of its instances, and holds for the others."""

    class Text(str):
        __slots__ = ()

    class Names(dict):
        pass

    kept = [
        *([Text("none"), b"none", Names(none=1), Plain()] * 3),
        Text(f"{PREFIX}-1"),
        f"{PREFIX}-2".encode(),
        bytearray(f"{PREFIX}-3".encode()),
        Names({f"{PREFIX}-4": 1}),
        Names(a=f"{PREFIX}-5"),
        "x" * 10_000 + f"{PREFIX}-6",
    ]
    found = re.compile(rf"{PREFIX}-\d").findall
    tree = Walk(PREFIX, found, BARRED).from_([{"kept": kept}])
    assert tree.below(kept) == {f"{PREFIX}-{i}" for i in range(1, 7)}
    assert not tree.is_of_one(kept)
    assert tree.is_of_one(kept[-1])


def test_what_one_object_alone_holds_is_entered_like_what_many_hold():
    """The search remembers only what several refer to; it finds, and tells the way to, both."""
    shared = [f"{PREFIX}-shared"]
    kept = [[[f"{PREFIX}-{i}"], shared, [shared]] for i in range(2500)]
    del shared
    tree = Walk(PREFIX, lambda text: [text], BARRED).from_([{"kept": kept}])
    expected = {f"{PREFIX}-{i}" for i in range(2500)} | {f"{PREFIX}-shared"}
    assert tree.below(kept) == expected
    assert sorted(map(len, tree.canaries.values())) == [1] * 2501
    told_by = [tree.below(each) - {f"{PREFIX}-shared"} for each in kept]
    assert told_by == [{each[0][0]} for each in kept]


def test_what_has_no_one_prefix_is_found_where_it_is_likely():
    """In texts and in keys of dicts; what is likely of all together is asked of each."""
    kept = [
        ["b1", "none", "xa1"],
        {"a2": 0, "none": 0},
        {"none": 1},
        *(f"n{i}" for i in range(3000)),
    ]
    asked = []

    def found(text):
        asked.append(text)
        return re.findall(r"\b[ab]\d", text)

    tree = Walk("", found, BARRED, likely=re.compile(r"\b[ab]\d").search).from_([{"kept": kept}])
    assert tree.below(kept) == {"b1", "a2"}
    # Hundreds of texts that hold nothing stand in chunks of their own.
    assert len(asked) < 2500


def test_a_search_is_bounded_by_what_it_has_seen():
    """Also where each object is held by one other alone, which is not remembered."""
    kept = [[[[[f"{PREFIX}-{i}"]]]] for i in range(5000)]
    walk = Walk(PREFIX, lambda text: [text], BARRED)
    assert len(walk.from_([{"kept": kept}], 30_000).canaries) == 5000
    assert len(walk.from_([{"kept": kept}], 10_000).canaries) == 0


def test_a_long_text_that_all_refer_to_is_looked_into_once():
    """Else a search would last as long as all of the copies would be."""
    looked = []
    text = f"{PREFIX}-1" + "x" * 100_000
    tree = Walk(PREFIX, lambda each: looked.append(each) or [each], BARRED)
    assert tree.from_([{"kept": [[text] for _ in range(5000)]}]).canaries == {id(text): [text]}
    assert len(looked) == 1


def test_what_is_barred_is_not_entered():
    """Neither an object nor the instances of a class."""
    kept, held = [f"{PREFIX}-1"], Plain()
    held.text = f"{PREFIX}-2"
    walk = Walk(PREFIX, lambda text: [text], [*BARRED, kept], (Plain,))
    assert walk.from_([{"kept": kept, "held": held}]).canaries == {}


def test_the_collector_is_as_it_was():
    """The search switches it off, and on again only where it was on."""
    gc.disable()
    try:
        Walk(PREFIX, lambda text: [text], BARRED).from_([{}])
        assert not gc.isenabled()
    finally:
        gc.enable()
    Walk(PREFIX, lambda text: [text], BARRED).from_([{}])
    assert gc.isenabled()


def test_no_code_of_what_is_searched_runs():
    """Properties, attribute hooks and texts that answer anything are left alone."""

    class Touchy(str):
        def __contains__(self, other):
            raise AssertionError

    class Lazy:
        def __getattribute__(self, name):
            raise AssertionError(name)

    lazy = Lazy()
    object.__getattribute__(lazy, "__dict__")["text"] = Touchy(f"{PREFIX}-1")
    root = Root({"lazy": lazy}, "module")
    tree = Walk(PREFIX, lambda text: [text], BARRED).from_([root.thing])
    assert [store.place for store in stores(tree, root)] == ["module.lazy.text"]
