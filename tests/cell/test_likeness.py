"""Templates fit what they were learnt from, in whatever order, and little else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.learnt import Heard, Lesson, together
from ctxsim.cell.likeness import all_common, first_difference, is_part, numberless, words

TEXTS = st.lists(
    st.sampled_from(["honey", "user7", "1,200", "<p>", " ", "a=b", "x" * 9, "é", "12:30"]),
    max_size=8,
).map("".join)
SAMPLES = st.lists(TEXTS, min_size=1, max_size=6)


@given(TEXTS)
def test_words_are_all_of_a_text(text):
    """Nothing is lost, and words stand at every second place."""
    assert "".join(words(text)) == text
    assert len(words(text)) % 2 == 1


@given(SAMPLES)
def test_a_template_fits_every_sample_that_it_was_learnt_from(samples):
    """Also once its numbers are left open."""
    template = all_common(map(words, samples))
    if template is not None:
        assert all(first_difference(template, words(each)) < 0 for each in samples)
        assert all(first_difference(numberless(template), words(each)) < 0 for each in samples)


@given(SAMPLES.flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_of_samples_does_not_matter(pair):
    """Neither does it matter how they are divided between two cells."""
    samples, shuffled = (list(map(words, each)) for each in pair)
    assert all_common(samples) == all_common(shuffled)
    half = len(samples) // 2
    parts = [part for part in (samples[:half], samples[half:]) if part]
    assert all_common(map(all_common, parts)) == all_common(samples)


def test_a_word_that_stayed_the_same_is_held_against_others():
    template = numberless(all_common(map(words, ["Hallo, 3 new", "Hallo, 4 new"])))
    assert first_difference(template, words("Hallo, 12 new")) < 0
    assert first_difference(template, words("Hello, 12 new")) == 0
    assert first_difference(template, words("Hallo, 12 new, 1 old")) >= 0


def heard(user, text, count=4, step=0):
    return Heard(step, user, 200, count, (), words(text))


def learnt_of(*cells):
    lessons = [Lesson(tuple(each), ((0, False, "200", 9),)) for each in cells]
    return together(lessons).answers


def test_what_is_the_same_for_one_user_and_not_for_others_is_that_user_s():
    texts = {1: "Rome 107", 2: "Oslo 9", 3: "Bonn 23"}
    cell = [heard(user, text) for user, text in texts.items()]
    [answered] = learnt_of(cell, cell)
    told = {each.user: each.template for each in answered.of_users}
    assert told == {user: words(text) for user, text in texts.items()}
    assert answered.template == (None, " ", "")


def test_who_was_heard_too_seldom_takes_nothing_from_what_others_are_told():
    """But for what shows that the page changes, and not with its user."""
    often = [heard(user, f"of {user}0") for user in (1, 2, 3)]
    seldom = heard(4, "of 40", count=1)
    [answered] = learnt_of([*often, seldom], often)
    assert [each.user for each in answered.of_users] == [1, 2, 3]
    [answered] = learnt_of([*often, seldom], [*often, heard(4, "of 50", count=1)])
    assert answered.of_users == ()
    [answered] = learnt_of([*often, heard(4, "none yet, ask later", count=1)], often)
    assert answered.of_users == ()


def test_what_changes_between_two_runs_for_one_user_is_nobody_s():
    first = [heard(1, "blue"), heard(2, "green"), heard(3, "blue")]
    second = [heard(1, "blue"), heard(2, "blue"), heard(3, "green")]
    [answered] = learnt_of(first, second)
    assert answered.template == (None,)
    assert answered.of_users[:1] == ()


def test_a_page_that_is_the_same_for_all_is_nobody_s():
    cell = [heard(user, "open from 9 to 5") for user in (1, 2, 3)]
    [answered] = learnt_of(cell, cell)
    assert answered.of_users == ()


def test_what_was_answered_too_seldom_or_by_one_cell_only_is_not_learnt():
    assert learnt_of([heard(1, "a", count=2)], [heard(1, "a", count=3)]) == ()
    assert learnt_of([heard(1, "a", count=20)], []) == ()


def test_what_each_is_always_told_and_nobody_else_is_steady_though_the_cells_differ():
    """At each place by itself; not where two have the same, nor where one of them changes."""
    first = [heard(u, f"no {n} of {n * 7} {n % 2}") for u, n in ((1, 10), (2, 11), (3, 12))]
    second = [heard(u, f"no {n} of {n * 7} {n % 2}") for u, n in ((3, 10), (2, 11), (1, 12))]
    [answered] = learnt_of(first, second)
    assert [words("no 10 of 70 0")[place] for place in answered.steady] == ["10", "70"]
    changing = Heard(2, 2, 200, 4, (), ("no", " ", None, " ", "of", " ", "77", " ", "1"))
    [answered] = learnt_of(first, [second[0], replace(changing, step=0), second[2]])
    assert [words("no 10 of 70 0")[place] for place in answered.steady] == ["70"]


def test_what_each_alone_is_told_in_headers_is_steady():
    """Each header by itself; others may change, and were then in no answer the same."""

    def cell(*heads):
        told = [{"X-No": "same", "X-Id": head} if head else {} for head in heads]
        return [replace(heard(n, "x"), head=tuple(each.items())) for n, each in enumerate(told, 1)]

    for first, second, steady in (
        (cell("a", "b", "c"), cell("d", "e", "f"), ("X-Id",)),
        (cell("a", "b", "c"), cell("d", "e", None), ()),
        (cell("a", "b", "c"), cell("d", "e", "e"), ()),
    ):
        assert [each.steady_headers for each in learnt_of(first, second)] == [steady]


def test_of_too_few_users_or_visits_nothing_is_steady():
    cell = [heard(user, f"no {user}", count=9) for user in (1, 2)]
    assert all(each.steady == () for each in learnt_of(cell, cell))
    once = [heard(1, "no 1", count=9), heard(2, "no 2", count=9), heard(3, "no 3", count=1)]
    assert all(each.steady == () for each in learnt_of(once, once))


@pytest.mark.parametrize(
    ("whole", "part", "is_one"),
    [
        ("<h1>a</h1><p>b</p>", "<h1>a</h1>", True),
        ("one, two, three", "one, three", True),
        ("one, two, three", "", True),
        ("one, two, three", "three, one", False),
        ("one, two, three", "one, four", False),
        ("one, two, three", "one, two, three", False),
    ],
)
def test_a_part_of_an_answer_has_its_words_in_order_and_no_others(whole, part, is_one):
    assert is_part(words(whole), words(part)) == is_one
