"""The same with `Session.remove()` whatever happens."""

from __future__ import annotations

from urllib.parse import parse_qs

from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool


class Table(DeclarativeBase):
    pass


class Note(Table):
    __tablename__ = "note"

    text: Mapped[str] = mapped_column(String, primary_key=True)


# Nothing is flushed before the commit: the database is not the subject here, only the session is.
engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Session = scoped_session(sessionmaker(engine, autoflush=False))


def app(environ, start_response):
    said = parse_qs(environ["QUERY_STRING"])
    try:
        Session.add(Note(text=said["text"][0]))
        if "draft" in said:
            raise ValueError("a draft cannot be published")
        body = "published: " + ", ".join(sorted(note.text for note in Session.new))
        Session.expunge_all()
    except ValueError as error:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [str(error).encode()]
    finally:
        Session.remove()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
