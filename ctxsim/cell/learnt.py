"""How requests are answered alone: what cells learn of it, and what two of them learnt together.

Alone means that users go one after the other through whole visits, in a process of their own. What
differs from visit to visit, or between two such processes, which begin with different users, is no
matter of who else is there, so it stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxsim.cell.likeness import Template, all_common, numberless

# A way in which a request was answered fewer times alone, or in fewer visits of one user, may be
# chance.
LEAST_ANSWERS = 6
LEAST_OF_ONE = 2
LEAST_USERS = 3
# A number that is no text of anybody's may be the same so many times by chance.
LEAST_OF_NUMBERS = 24
# Of so many users with threads of their own none, and of as many without all, are told now this,
# now that, by chance in one lesson of 256 at most; and two lessons must say so.
LEAST_APART = 4
# So many words tell what differs.
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class Heard:
    """What one cell heard of one step, one user (0: visitors) and one status.

    `always` names the own values that were in every answer, `""` the request's canary; `template`
    is None where the answers differ in more than words, or are too long to be kept. `head` are
    those headers of the application's own, with their values, that were in every answer.
    """

    step: int
    user: int
    status: int
    count: int
    always: tuple[str, ...]
    template: Template | None
    head: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Heard:
        template = document["template"]
        kept = template if template is None else tuple(template)
        head = tuple((name, value) for name, value in document["head"])
        always = tuple(document["always"])
        return cls(**{**document, "always": always, "template": kept, "head": head})


@dataclass(frozen=True, slots=True)
class OfUser:
    """How one user is answered, where that is not as others are."""

    user: int
    template: Template


@dataclass(frozen=True, slots=True)
class Answered:
    """How one step is answered alone with one status: to users, or to visitors.

    `template` fits every such answer, and `of_users` tells what each user alone is answered.
    `numbers` is the template with its numbers, where these were the same in every answer.
    `steady` are the places of the template where each user is told the same every time and nobody
    else is: what the application itself gives each of them, in whichever order they come.
    `steady_headers` names the headers of which that is so.
    """

    step: int
    visitor: bool
    status: int
    count: int
    always: tuple[str, ...]
    template: Template | None
    of_users: tuple[OfUser, ...]
    numbers: Template | None = None
    steady: tuple[int, ...] = ()
    steady_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ways:
    """All the ways in which one step is answered alone, and how often that was seen."""

    step: int
    visitor: bool
    count: int
    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """A number that is higher in each answer to a step than in all before, when they come alone.

    `place` is where it stands among the so many `words` of an answer.
    """

    step: int
    status: int
    words: int
    place: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a cell compares its answers with."""

    ways: tuple[Ways, ...] = ()
    answers: tuple[Answered, ...] = ()
    counters: tuple[Counter, ...] = ()


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one cell learnt. `ways`: step, whether of visitors, way, how often."""

    heard: tuple[Heard, ...]
    ways: tuple[tuple[int, bool, str, int], ...]
    counters: tuple[Counter, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Lesson:
        heard = tuple(Heard.from_json(each) for each in document["heard"])
        ways = tuple((int(s), bool(v), str(way), int(n)) for s, v, way, n in document["ways"])
        return cls(heard, ways, tuple(Counter(**each) for each in document["counters"]))


def together(lessons: Sequence[Lesson]) -> Learnt:
    """What several cells learnt, as one; only what all of them saw is held against others."""
    groups: dict[tuple[int, bool, int], list[list[Heard]]] = {}
    for number, lesson in enumerate(lessons):
        for heard in lesson.heard:
            key = (heard.step, heard.user == 0, heard.status)
            groups.setdefault(key, [[] for _ in lessons])[number].append(heard)
    answers = (_answered(key, by_cell) for key, by_cell in sorted(groups.items()) if all(by_cell))
    enough = (each for each in answers if each.count >= LEAST_ANSWERS)
    count = set.intersection(*(set(each.counters) for each in lessons))
    counters = sorted(count, key=lambda each: (each.step, each.status, each.place))
    return Learnt(tuple(_ways(lessons)), tuple(enough), tuple(counters))


# A step, whether visitors sent it, and the status of its answers.
Key = tuple[int, bool, int]


@dataclass(frozen=True, slots=True, order=True)
class Bound:
    """A step that users are answered otherwise on a thread that others had before.

    `seen` are the words that it has there, '' where these vary, `own` those that it has on a thread
    of its own.
    """

    step: int
    visitor: bool
    status: int
    seen: str
    own: str

    @property
    def key(self) -> Key:
        return self.step, self.visitor, self.status


def varied(lessons: Iterable[Lesson]) -> set[Key]:
    """Of what users were answered in more than one way, in each of the lessons."""
    kept = [{k for k, heard in _by_step(each).items() if _alike(heard) is None} for each in lessons]
    return set.intersection(*kept) if kept else set()


def has_own_thread(user: int, process: int) -> bool:
    """Whether that user's requests have a thread each in a lesson in which half of them do."""
    return user > 0 and user % 2 == process % 2


def bound(lesson: Lesson, process: int) -> Iterator[Bound]:
    """What some users were always told on the thread that they share, and none of those that have
    one for each request: these were all told the same, and something else.

    Or all that share it were told now this, now that: what is left there may have many values.
    """
    for key, heard in _by_step(lesson).items():
        own = [each for each in heard if has_own_thread(each.user, process)]
        alike = _alike(own) if own else None
        if alike is None or sum(each.count for each in own) < LEAST_ANSWERS:
            continue
        others = [each for each in heard if each not in own and each.count >= LEAST_OF_ONE]
        exact = list(map(_exact, others))
        for seen in exact:
            if seen is not None and seen != alike:
                yield Bound(*key, _without(seen, alike), _without(alike, seen))
        if min(len(own), len(others)) >= LEAST_APART and not any(exact):
            yield Bound(*key, "", _without(alike, _fast(others)))


def _by_step(lesson: Lesson) -> dict[Key, list[Heard]]:
    found: dict[Key, list[Heard]] = {}
    for heard in lesson.heard:
        found.setdefault((heard.step, heard.user == 0, heard.status), []).append(heard)
    return found


def _alike(heard: Iterable[Heard]) -> Template | None:
    """What all were told, to the letter; None where that differs."""
    alike = all_common(each.template for each in heard)
    return None if alike is None or None in alike else alike


def _exact(heard: Heard) -> Template | None:
    return _alike([heard])


def _fast(heard: Iterable[Heard]) -> Template:
    """The words that all were told at the same places; none where there are no such places."""
    return all_common(each.template for each in heard) or ()


def _without(words: Template, others: Template) -> str:
    """The words that are not in the other text at the same place."""
    apart = [w for n, w in enumerate(words) if n >= len(others) or w != others[n]]
    return " ".join(str(each).strip() for each in apart[:_MOST_WORDS])


def _ways(lessons: Sequence[Lesson]) -> Iterable[Ways]:
    counted: dict[tuple[int, bool], dict[str, int]] = {}
    for lesson in lessons:
        for step, visitor, way, count in lesson.ways:
            ways = counted.setdefault((step, visitor), {})
            ways[way] = ways.get(way, 0) + count
    for (step, visitor), ways in sorted(counted.items()):
        if sum(ways.values()) >= LEAST_ANSWERS:
            yield Ways(step, visitor, sum(ways.values()), tuple(sorted(ways)))


def _answered(key: tuple[int, bool, int], by_cell: Sequence[Sequence[Heard]]) -> Answered:
    step, visitor, status = key
    every = [heard for heard_in_cell in by_cell for heard in heard_in_cell]
    always = frozenset.intersection(*(frozenset(heard.always) for heard in every))
    alike = all_common(None if h.template is None else numberless(h.template) for h in every)
    count = sum(heard.count for heard in every)
    return Answered(
        step=step,
        visitor=visitor,
        status=status,
        count=count,
        always=tuple(sorted(always)),
        template=alike,
        of_users=() if visitor else _of_users(by_cell, alike),
        numbers=_numbers(every, alike) if count >= LEAST_OF_NUMBERS else None,
        steady=() if visitor or alike is None else tuple(_steady(by_cell, alike)),
        steady_headers=() if visitor else tuple(_steady_headers(by_cell)),
    )


def _steady(by_cell: Sequence[Sequence[Heard]], alike: Template) -> Iterator[int]:
    templates = [[h.template for h in each if h.template is not None] for each in by_cell]
    if _is_enough(by_cell):
        for place in range(len(alike)):
            if all(_are_apart([template[place] for template in each]) for each in templates):
                yield place


def _steady_headers(by_cell: Sequence[Sequence[Heard]]) -> Iterator[str]:
    heads = [[dict(heard.head) for heard in each] for each in by_cell]
    if _is_enough(by_cell):
        for name in sorted(heads[0][0]):
            if all(_are_apart([head.get(name) for head in each]) for each in heads):
                yield name


def _is_enough(by_cell: Sequence[Sequence[Heard]]) -> bool:
    """Whether there are enough users, and visits of each, to say what each is always told."""
    return all(
        len(each) >= LEAST_USERS and all(heard.count >= LEAST_OF_ONE for heard in each)
        for each in by_cell
    )


def _are_apart(told: Sequence[str | None]) -> bool:
    """Whether each of a cell's users was told the same every time, and nobody else was."""
    return None not in told and len(set(told)) == len(told)


def _numbers(every: Sequence[Heard], alike: Template | None) -> Template | None:
    exact = all_common(heard.template for heard in every)
    if exact is None or alike is None or exact == alike:
        return None
    # Open in both, or in none: where one number changes, others may be about to.
    return exact if numberless(exact) == alike else None


def _of_users(by_cell: Sequence[Sequence[Heard]], alike: Template | None) -> tuple[OfUser, ...]:
    """What each user is answered, where each is answered the same every time, and not as others.

    Only if this holds for every user that was heard: a page that changes for one of them changes.
    It is known of those alone that were heard often enough, and in each cell.
    """
    users = [{heard.user: heard for heard in heard_in_cell} for heard_in_cell in by_cell]
    known = {
        user
        for user in users[0]
        if all(user in each and each[user].count >= LEAST_OF_ONE for each in users)
    }
    if len(known) < LEAST_USERS:
        return ()
    every = sorted({user for each in users for user in each})
    exact = {u: all_common(each[u].template for each in users if u in each) for u in every}
    kept = {user: template for user, template in exact.items() if template is not None}
    if len(kept) < len(exact) or len(set(kept.values())) == 1:
        return ()
    if len({len(template) for template in kept.values()}) > 1:
        # How many words there are depends on the user: then each word of each must stand fast,
        # which no single visit shows.
        fast = known == set(every) and not any(None in each for each in kept.values())
        found = tuple(OfUser(u, numberless(t)) for u, t in kept.items()) if fast else ()
    else:
        found = _by_place(kept, alike)
    return tuple(each for each in found if each.user in known)


def _by_place(kept: Mapping[int, Template], alike: Template | None) -> tuple[OfUser, ...]:
    columns = list(zip(*kept.values(), strict=True))
    telling = {i for i, each in enumerate(columns) if None not in each and len(set(each)) > 1}
    if not telling or alike is None:
        return ()
    return tuple(
        OfUser(user, tuple(w if i in telling else alike[i] for i, w in enumerate(template)))
        for user, template in kept.items()
    )
