"""What Django is told: signed cookies for sessions, a database and a cache of this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# In memory and shared by the connections of all threads; it lives as long as one of them.
DATABASE = "file:library?mode=memory&cache=shared"

SETTINGS: dict[str, Any] = {
    "SECRET_KEY": "for trying things out",
    "ALLOWED_HOSTS": ["*"],
    "ROOT_URLCONF": "library.urls",
    "INSTALLED_APPS": ["django.contrib.sessions", "django.contrib.messages", "library"],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "library.middleware.Readers",
        "library.middleware.Languages",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
    "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
    "DATABASES": {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            "OPTIONS": {"timeout": 20},
        }
    },
    "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.messages.context_processors.messages",
                    "library.middleware.names",
                ]
            },
        }
    ],
    "USE_I18N": True,
    "LANGUAGE_CODE": "en",
    # An address that is not there is no news for a log.
    "LOGGING": {
        "version": 1,
        "disable_existing_loggers": False,
        "loggers": {"django.request": {"level": "CRITICAL"}},
    },
}
