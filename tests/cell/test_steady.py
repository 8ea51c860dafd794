"""What each user alone is told: another user's is told apart from what changes hands."""

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.history import Who
from ctxsim.cell.witness.steady import Steady


def met(*told):
    """The users that were told another's, in the order in which that was noted."""
    steady, found = Steady((0,)), []
    for number, (user, word) in enumerate(told, 1):
        meeting = steady.meet(Who(user, number), (word,)).meeting
        if meeting is not None:
            found.append((meeting.victim.user, meeting.other.user, meeting.victim.request))
    return found


def test_another_user_s_word_that_gives_way_again_is_told():
    """As soon as the user's own comes back; who is told its own is no victim."""
    told = [(1, "a"), (2, "b"), (1, "a"), (2, "b"), (1, "b"), (2, "b")]
    assert met(*told) == []
    assert met(*told, (1, "a")) == [(1, 2, 5)]
    assert met(*told, (1, "a"), (1, "b"), (1, "a"), (2, "b")) == [(1, 2, 5), (1, 2, 8)]


def test_a_word_that_is_taken_from_one_and_given_to_the_next_is_not():
    assert met((1, "a"), (2, "b"), (1, "c"), (2, "a"), (1, "c"), (2, "a"), (3, "b")) == []


def test_what_two_users_were_given_for_good_is_not():
    assert met(*[(1, "a"), (2, "a"), (3, "b")] * 5) == []


def test_where_all_are_mixed_it_is_told_without_a_majority():
    told = [(user, "abc"[(user * turn) % 3]) for turn in range(1, 9) for user in (1, 2, 3)]
    assert {victim for victim, _, _ in met(*told)} <= {1, 2, 3}
    assert met(*told)


def test_what_was_taken_for_own_is_news_once_it_is_another_s_too():
    steady = Steady((0, 1))
    assert not steady.meet(Who(1, 1), ("a", "x")).compared
    again = steady.meet(Who(1, 2), ("a", "x"))
    assert (again.compared, again.is_own, again.is_news) == (True, True, False)
    assert steady.meet(Who(2, 3), ("b", "x")).is_news
    assert not steady.meet(Who(1, 4), ("a", "x")).is_own


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=40))
def test_users_with_words_of_their_own_never_meet(told):
    """However many words each of them has, and in whichever order they come."""
    assert met(*((user, f"{user}.{n}") for user, n in told)) == []


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abcd")), max_size=40))
def test_whoever_is_told_of_was_told_what_the_other_was(told):
    steady = Steady((0,))
    heard = set()
    for number, (user, word) in enumerate(told, 1):
        meeting = steady.meet(Who(user, number), (word,)).meeting
        heard.add((user, word))
        if meeting is not None:
            assert meeting.victim.user != meeting.other.user
            assert (meeting.other.user, told[meeting.victim.request - 1][1]) in heard
