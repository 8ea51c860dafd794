"""Messages between harness and cell arrive whole, in order, or are refused."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.messages import Channel, Lines, encode

MESSAGES = st.lists(
    st.fixed_dictionaries({"say": st.text(), "more": st.lists(st.text(), max_size=3)}), max_size=5
)


@given(MESSAGES, st.lists(st.integers(1, 40), max_size=60))
def test_messages_arrive_whole_in_whatever_pieces(messages, sizes):
    """A socket gives bytes in pieces of any size."""
    data = b"".join(map(encode, messages))
    lines, heard = Lines(), []
    for size in [*sizes, len(data)]:
        heard += lines.feed(data[:size])
        data = data[size:]
    assert heard == messages


@given(st.text())
def test_a_message_is_one_line_of_ascii(text):
    """Line ends and other characters of a value do not break a message apart."""
    data = encode({"say": text})
    assert data.count(b"\n") == 1
    assert data.isascii()
    assert json.loads(data) == {"say": text}


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n", b"[]\n", b'{"said": 1}\n', b"\n"])
def test_what_is_no_message_is_refused(line):
    """An application that writes to the wrong descriptor is not listened to."""
    with pytest.raises(ValueError, match=r"not a message|Expecting value|Extra data"):
        list(Lines().feed(line))


def test_a_closed_channel_says_nothing():
    """In a forked child the channel is closed: it is not the child's conversation."""
    sent = []
    channel = Channel(None, threading.Lock(), sent.append)
    channel.say({"say": "one"})
    channel.close()
    channel.say({"say": "two"})
    assert sent == [b'{"say":"one"}\n']
