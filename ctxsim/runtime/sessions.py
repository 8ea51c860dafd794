"""The session: a dict that the client keeps in a signed cookie.

Cookies can be exchanged with Flask's: same salt, same key derivation, same JSON tags.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.datastructures import CallbackDict
from werkzeug.http import dump_cookie

from ctxsim.runtime.signing import CookieSigner

if TYPE_CHECKING:
    from ctxsim.runtime.config import Config
    from ctxsim.runtime.requests import Request
    from ctxsim.runtime.responses import Response


# A larger one is Werkzeug's to write, which warns that browsers may ignore it.
_LARGEST_COOKIE = 4093
_COOKIE_SETTINGS = itemgetter(
    "SESSION_COOKIE_NAME", "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "APPLICATION_ROOT",
    "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_PARTITIONED",
)  # fmt: skip


def _mark_modified(session: Any) -> None:
    session.modified = True


class Session(CallbackDict[str, Any]):
    """What `session` stands for.

    `modified` tells whether a key was set or removed (set it by hand after a change inside a
    value), `accessed` whether anybody looked, `new` whether the client sent no session.
    """

    accessed = False
    modified = False
    new = False

    on_update = staticmethod(_mark_modified)

    def __init__(self, initial: dict[str, Any] | None = None) -> None:
        # Not the constructor of CallbackDict: it keeps the callback in each object, as if each had
        # another one.
        dict.__init__(self, () if initial is None else initial)

    @property
    def permanent(self) -> bool:
        """Whether the client keeps the session after it was closed."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class NullSession(Session):
    """The session of an app that has no secret key: can be read, and is empty."""

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(
            "The session cannot be written, because its cookie could not be signed: the app has no"
            " secret key. Set app.secret_key to a secret of its own."
        )

    __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = __ior__ = _fail


class SignedCookies:
    """Opens and saves an app's sessions."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._keys: tuple[Any, Any] = (None, None)
        self._current: CookieSigner | None = None
        # What stands around a session's value in Set-Cookie, and the settings it was made for.
        self._frame: tuple[str, str] = ("", "")
        self._framed_for: tuple[Any, ...] = ()

    def open(self, request: Request) -> Session:
        """Give the session that `request` carries; a new one where its cookie is no good."""
        config = self._config
        if not config["SECRET_KEY"]:
            return NullSession()
        cookie = request.header("cookie")
        value = _value_of(config["SESSION_COOKIE_NAME"], cookie) if cookie else None
        session = self._read(value) if value else None
        if session is None:
            session = Session()
            session.new = True
        return session

    def _read(self, value: str) -> Session | None:
        content = self._signer().loads(value, self._config.session_lifetime_s())
        return None if content is None else Session(content)

    def _signer(self) -> CookieSigner:
        config = self._config
        keys = config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]
        if self._current is None or keys != self._keys:
            old, key = keys
            self._current = CookieSigner([*(old or ()), key])
            # Last, because another thread that finds these keys takes the signer for theirs.
            self._keys = (None if old is None else list(old), key)
        return self._current

    def save(self, session: Session, response: Response) -> None:
        """Put the cookie for `session` on `response`, where it is due."""
        if isinstance(session, NullSession):
            return
        config = self._config
        if session.accessed:
            response.vary_on("Cookie")
        if not session:
            if session.modified:
                response.delete_cookie(config["SESSION_COOKIE_NAME"], **self._attributes())
                response.vary_on("Cookie")
            return
        refresh = session.permanent and config["SESSION_REFRESH_EACH_REQUEST"]
        if session.modified or refresh:
            self._set(session, response)

    def _set(self, session: Session, response: Response) -> None:
        signer = self._signer()
        value = signer.dumps(dict(session))
        attributes: dict[str, Any] = {}
        if session.permanent:
            attributes["expires"] = signer.now_s() + self._config.session_lifetime_s()
        response.headers.add("Set-Cookie", self._cookie(value, attributes))
        response.vary_on("Cookie")

    def _cookie(self, value: str, attributes: dict[str, Any]) -> str:
        if not attributes:
            before, after = self._frame_now()
            if len(before) + len(value) + len(after) <= _LARGEST_COOKIE:
                return f"{before}{value}{after}"
        name = self._config["SESSION_COOKIE_NAME"]
        return dump_cookie(name, value, **self._attributes(), **attributes)

    def _frame_now(self) -> tuple[str, str]:
        # The settings are all that it depends on: a signed value has nothing to quote.
        settings = _COOKIE_SETTINGS(self._config)
        if settings != self._framed_for:
            name = settings[0]
            empty = dump_cookie(name, "", **self._attributes())
            # As many characters as the name has bytes: that is how it is written in a header.
            ends = len(f"{name}=".encode())
            self._frame, self._framed_for = (empty[:ends], empty[ends:]), settings
        return self._frame

    def _attributes(self) -> dict[str, Any]:
        config = self._config
        return {
            "domain": config["SESSION_COOKIE_DOMAIN"],
            "path": config["SESSION_COOKIE_PATH"] or config["APPLICATION_ROOT"],
            "secure": config["SESSION_COOKIE_SECURE"],
            "httponly": config["SESSION_COOKIE_HTTPONLY"],
            "samesite": config["SESSION_COOKIE_SAMESITE"],
            "partitioned": config["SESSION_COOKIE_PARTITIONED"],
        }


def _value_of(name: str, cookies: str) -> str | None:
    # Instead of `request.cookies`, because a signed value has nothing to unquote.
    if name not in cookies:
        return None
    for cookie in cookies.split(";"):
        found, _, value = cookie.partition("=")
        if found.strip() == name:
            return value.strip()
    return None
