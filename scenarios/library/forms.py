"""What readers send."""

from __future__ import annotations

from django import forms


class Login(forms.Form):
    name = forms.CharField(max_length=40)


class Wish(forms.Form):
    title = forms.CharField(max_length=40)
    note = forms.CharField(max_length=80, required=False)
