"""A note book whose requests share nothing but the engine, as it seems.

`scoped_session` has one session for each thread. Greenlets of a thread that is not patched are one
thread: what one of them has put into the session while another waits is published by that one.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from ctxsim import pause


class Table(DeclarativeBase):
    pass


class Note(Table):
    __tablename__ = "note"

    text: Mapped[str] = mapped_column(String, primary_key=True)


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Session = scoped_session(sessionmaker(engine, autoflush=False))


def app(environ, start_response):
    text = parse_qs(environ["QUERY_STRING"])["text"][0]
    try:
        Session.add(Note(text=text))
        # The text is checked by a service.
        pause(0.001)
        body = "published: " + ", ".join(sorted(note.text for note in Session.new))
    finally:
        Session.remove()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
