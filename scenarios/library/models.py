"""Books, and who has borrowed them."""

from __future__ import annotations

from django.db import models


class Book(models.Model):
    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=80)

    class Meta:
        app_label = "library"

    def __str__(self) -> str:
        return self.title


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="loans")
    reader = models.CharField(max_length=40, db_index=True)
    note = models.CharField(max_length=80)

    class Meta:
        app_label = "library"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.book} to {self.reader}"
