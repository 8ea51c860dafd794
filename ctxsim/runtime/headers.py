"""Headers of a response: Werkzeug's, with a shorter way for what is done at nearly every response.

Werkzeug's own methods look at each value with a regular expression and at each key's type; a plain
text needs neither. tests/runtime/test_headers.py holds the two beside each other.
"""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import Headers as WerkzeugHeaders


class Headers(WerkzeugHeaders):
    """The header fields of a response, in any case of letters."""

    @classmethod
    def holding(cls, pairs: list[tuple[str, str]]) -> Headers:
        """Give headers that keep `pairs` themselves; for pairs that nobody has to look at again."""
        made = cls.__new__(cls)
        made._list = pairs
        return made

    def __setitem__(self, key: Any, value: Any) -> None:
        if _is_plain(key, value):
            lowered = key.lower()
            for given, _ in self._list:
                if given.lower() == lowered:
                    break
            else:
                self._list.append((key, value))
                return
        super().__setitem__(key, value)

    def add(self, key: str, value: Any, /, **options: Any) -> None:
        """Add a field; `options` become parameters of the value."""
        if not options and _is_plain(key, value):
            self._list.append((key, value))
        else:
            super().add(key, value, **options)

    # Werkzeug's compares the classes, and these fields are as good as those of its own class.
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WerkzeugHeaders):
            return NotImplemented
        return WerkzeugHeaders(list(self)) == WerkzeugHeaders(list(other))

    __hash__ = None


def _is_plain(key: object, value: object) -> bool:
    return type(key) is str and type(value) is str and "\n" not in value and "\r" not in value
