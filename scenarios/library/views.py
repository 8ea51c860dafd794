"""The pages."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.core.cache import cache
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dates import WEEKDAYS
from django.views.decorators.http import require_GET, require_POST

from library import catalogue, forms
from library.middleware import current_reader
from library.models import Book
from library.rules import require_reader


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    titles = cache.get_or_set("titles", _titles, timeout=None)
    return render(request, "index.html", {"titles": titles})


def _titles() -> list[str]:
    return list(Book.objects.order_by("title").values_list("title", flat=True))


@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    form = forms.Login(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("no name")
    request.session.flush()
    request.session["reader"] = form.cleaned_data["name"]
    return redirect("loans")


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return redirect("index")


@require_GET
def me(request: HttpRequest) -> JsonResponse:
    tag = request.GET.get("tag", "")
    return JsonResponse({"reader": current_reader(), "same": request.reader, "tag": tag})


@require_GET
def book(request: HttpRequest, slug: str) -> HttpResponse:
    return render(request, "book.html", {"book": get_object_or_404(Book, slug=slug)})


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("q", "")
    found = Book.objects.filter(title__icontains=asked)
    catalogue.wait()
    return render(request, "search.html", {"asked": asked, "found": list(found)})


@require_GET
def loans(request: HttpRequest) -> HttpResponse:
    return render(request, "loans.html", {"loans": catalogue.loans_of(require_reader())})


@require_GET
def export(request: HttpRequest) -> StreamingHttpResponse:
    # The middleware has forgotten the reader when the lines are read, so they are handed it.
    reader = require_reader()
    lines = _lines(reader, catalogue.loans_of(reader), request.GET.get("tag", ""))
    return StreamingHttpResponse(lines, content_type="text/csv")


def _lines(reader: str, loans: list, tag: str) -> Iterator[str]:
    yield f"reader,{reader}\n"
    for loan in loans:
        yield f"{tag},{loan.book.title},{loan.note}\n"
    yield f"end,{tag}\n"


def wishes(request: HttpRequest) -> HttpResponse:
    reader = require_reader()
    if request.method == "POST":
        form = forms.Wish(request.POST)
        if not form.is_valid():
            return HttpResponseBadRequest("no title")
        request.session["wishes"] = [*request.session.get("wishes", [])[-4:], form.cleaned_data]
        messages.info(request, f"{reader} wishes for {form.cleaned_data['title']}.")
        return redirect("wishes")
    return render(request, "wishes.html", {"wishes": request.session.get("wishes", [])})


@require_GET
def today(request: HttpRequest) -> HttpResponse:
    before = str(WEEKDAYS[0])
    catalogue.wait()
    # In the request's language still, although other requests had their turn.
    return render(request, "today.html", {"days": [before, WEEKDAYS[0]]})


@require_GET
def advice(_request: HttpRequest) -> HttpResponse:
    reader = require_reader()
    said = cache.get_or_set(f"advice:{reader}", lambda: _advice_for(reader), timeout=60)
    return HttpResponse(said)


def _advice_for(reader: str) -> str:
    catalogue.wait()
    return f"{reader} should read {catalogue.BOOKS['dune']}."


@require_GET
def moved(request: HttpRequest) -> HttpResponse:
    return redirect(f"/?tag={request.GET.get('tag', '')}", permanent=True)
