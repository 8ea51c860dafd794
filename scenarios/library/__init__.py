"""A lending library in Django: readers, their loans, pages in their languages, and an export."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings

from library import catalogue
from library.configuration import SETTINGS


def create_app() -> Any:
    """The WSGI application, with its tables made and filled."""
    settings.configure(**SETTINGS)
    django.setup()
    catalogue.fill()
    # Imported once Django is set up: it reads the settings.
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - see above

    return get_wsgi_application()
