"""The names by which frameworks let an application read what a request carries."""

from __future__ import annotations

from ctxsim.cell.sights import Place, Read

# Attributes of request objects, in the frameworks that are known, and where their names come from.
PLACES: dict[str, tuple[Place, ...]] = {
    "args": ("query",),
    "GET": ("query",),
    "query": ("query",),
    "query_params": ("query",),
    "values": ("query",),
    "params": ("query",),
    "form": ("form",),
    "forms": ("form",),
    "POST": ("form",),
    "files": ("file",),
    "FILES": ("file",),
    "json": ("json",),
    "json_body": ("json",),
    "media": ("json",),
    "data": ("json",),
    "cookies": ("cookie",),
    "COOKIES": ("cookie",),
    "headers": ("header",),
    "META": ("header",),
    "environ": ("header",),
}
CALLS: dict[str, Place] = {
    "get_json": "json",
    "get_media": "json",
    "json": "json",
    "parse_qs": "query",
    "parse_qsl": "query",
    "SimpleCookie": "cookie",
    "get_cookie": "cookie",
    "get_header": "header",
    "header": "header",
    "get_param": "query",
    "get_param_as_int": "query",
    "get_param_as_float": "query",
    "get_param_as_bool": "query",
    "get_param_as_list": "query",
    "get_signed_cookie": "cookie",
}
PARSERS = ("parse_qs", "parse_qsl")
# By which word a token is sent, where something else is read than Bearer: Django REST framework's
# own tokens, and what several libraries for JSON Web Tokens ask for.
TOKENS = {"token": "Token", "jwt": "JWT"}
# How an application reads a header of which it was found out that it takes a token, and no name.
BEARER = "bearer"
# What makes a document of a body, and what a body is called that nothing was made of yet.
LOADERS = ("loads", "load")
RAW = ("body", "raw", "data", "get_data", "stream")
# How Flask-RESTful and Flask-RESTX are told of a name; a program's own arguments have a hyphen.
DECLARES = "add_argument"
# A variable that holds the request's environment or headers, in applications without a framework.
VARIABLES: dict[str, Place] = {
    "environ": "header",
    "env": "header",
    "headers": "header",
    "query": "query",
    "params": "query",
    "qs": "query",
    "cookies": "cookie",
    "form": "form",
}
# What gives the same names once more.
COPIES = frozenset({"to_dict", "copy", "dict", "items", "multi_items"})
GETTERS = frozenset({"get", "getlist", "getone", "getall", "pop", "getunicode"})
# What is asked of the holder itself, and is no name that a client sends.
OF_HOLDERS = GETTERS | {"decode", "dict", "input_encoding", "replace", *dir(dict), *dir(str)}
KINDS = {
    "int": "int", "Int": "int", "Integer": "int", "IntegerField": "int",
    "float": "float", "Float": "float", "FloatField": "float", "DecimalField": "float",
    "Decimal": "float",
    "get_param_as_int": "int", "get_param_as_float": "float", "get_param_as_bool": "bool",
    "bool": "bool", "Bool": "bool", "Boolean": "bool", "BooleanField": "bool",
}  # fmt: skip
# What of a request a schema is for, in webargs' words, and what it is for by default.
BODY: Place = "json"
LOCATIONS: dict[str, Place] = {
    "args": "query",
    "json": "json",
    "query": "query",
    "querystring": "query",
    "form": "form",
    "headers": "header",
    "cookies": "cookie",
}
ENVIRON = "HTTP_"
# Headers that a server or client sets for its own ends, or that would change how a body is read.
NOT_SENT = frozenset(
    [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "origin",
        "referer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-requested-with",
    ]
)
# What Werkzeug makes of headers in which a client says what it would rather have: the header, and
# what is chosen from where the source does not say.
CHOICES = {
    "accept_languages": ("Accept-Language", ("en", "de", "fr", "es")),
    "accept_mimetypes": ("Accept", ("text/html", "application/json")),
    "accept_charsets": ("Accept-Charset", ("utf-8", "iso-8859-1")),
    "accept_encodings": ("Accept-Encoding", ("identity", "gzip")),
}
OF_ATTRIBUTES = {
    "authorization": (Read("auth", "basic"),),
    **{
        attribute: (Read("header", header, "choice", usual),)
        for attribute, (header, usual) in CHOICES.items()
    },
}
CHOOSERS = ("best_match", "quality")
BEST = "best"
