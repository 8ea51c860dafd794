"""All addresses."""

from __future__ import annotations

from django.urls import path

from library import views

urlpatterns = [
    path("", views.index, name="index"),
    path("login", views.log_in, name="login"),
    path("logout", views.log_out, name="logout"),
    path("me", views.me, name="me"),
    path("books/<slug:slug>", views.book, name="book"),
    path("search", views.search, name="search"),
    path("loans", views.loans, name="loans"),
    path("loans.csv", views.export, name="export"),
    path("wishes", views.wishes, name="wishes"),
    path("today", views.today, name="today"),
    path("advice", views.advice, name="advice"),
    path("moved", views.moved, name="moved"),
]
