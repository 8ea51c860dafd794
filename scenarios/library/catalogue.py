"""Makes the tables, fills them, and waits as a database elsewhere would make one wait."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from django.db import connection

from library.configuration import DATABASE

BOOKS = {"walden": "Walden", "emma": "Emma", "dune": "Dune"}
READERS = 200

# Keeps the database in being while no request has a connection.
_kept: list[sqlite3.Connection] = []


def fill() -> None:
    """Make the tables and give each reader two loans."""
    from library.models import Book, Loan  # noqa: PLC0415 - models need Django to be set up

    _kept.append(sqlite3.connect(DATABASE, uri=True, check_same_thread=False))
    with connection.schema_editor() as editor:
        editor.create_model(Book)
        editor.create_model(Loan)
    books = [Book.objects.create(slug=slug, title=title) for slug, title in BOOKS.items()]
    names = [f"reader{number}" for number in range(1, READERS + 1)]
    Loan.objects.bulk_create(
        Loan(book=book, reader=name, note=f"{book.slug} for {name}")
        for name in names
        for book in books[:2]
    )
    connection.close()


def loans_of(reader: str) -> list[Any]:
    """The loans of one reader, with their books."""
    from library.models import Loan  # noqa: PLC0415 - models need Django to be set up

    wait()
    return list(Loan.objects.filter(reader=reader).select_related("book"))


def wait() -> None:
    """Take as long as a query: other requests run meanwhile, if the workers let them."""
    time.sleep(0.001)  # noqa: TID251 - it stands for a query
