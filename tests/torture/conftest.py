"""Lets the tests import the campaigns, which `make torture` runs as a program of their own."""

import pathlib

import pytest


@pytest.fixture(autouse=True)
def campaigns(monkeypatch):
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent))
