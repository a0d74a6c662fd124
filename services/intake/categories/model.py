"""Decides what kind of thing a report tells of, and how urgent that is."""

from collections.abc import Sequence
from dataclasses import dataclass

URGENCIES = ("none", "high", "emergency")
"""From the least to the most urgent."""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing. The lower its `position`, the earlier its keywords are tried."""

    site: str
    code: str
    position: int
    name: str
    keywords: tuple[str, ...]
    urgency: str | None
    is_on_spot: bool


def classify(given: str | None, words: str, categories: Sequence[Category], default: str) -> Category | None:
    """The category given, else the first one (by position) of whose keywords one stands in `words`, else the default.

    None for a given code that nobody knows.
    """
    by_code = {category.code: category for category in categories}
    if given:
        return by_code.get(given)
    for category in sorted(categories, key=lambda each: each.position):
        if any(keyword in words for keyword in category.keywords):
            return category
    return by_code[default]


def urgency(given: str, category: Category) -> str:
    """The urgency that was told, raised by the category's own."""
    return max(given, category.urgency or "none", key=URGENCIES.index)
