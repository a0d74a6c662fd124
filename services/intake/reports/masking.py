"""Masks personal numbers and room numbers in what leaves intake (domain: data classes P0-P3; events carry P0/P1)."""

import re

#: Mainland id card numbers of 18 or 15 digits: the first and last four stay.
ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])(\d{4})(?:\d{10}|\d{7})(\d{3}[0-9Xx])(?![0-9A-Za-z])")

#: Mobile numbers, with or without +86, spaces or dashes: `138****1234`.
MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9]\d)[- ]?\d{4}[- ]?(\d{4})(?!\d)")

#: Landlines with their area code.
LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})[- ]?\d{3,4}(\d{4})(?!\d)")

#: From the staircase inwards an address leads to one household.
ROOM = re.compile(r"[0-9一二三四五六七八九十甲乙丙丁]+\s*(?:单元|层|室|户).*$|[0-9]+-[0-9]+-[0-9]+\s*$")

#: Characters of a summary, by its contract.
SUMMARY_CHARACTERS = 200


def mask(text: str) -> str:
    """The text with the middle of phone and id numbers starred."""
    text = ID_NUMBER.sub(r"\1********\2", text)
    text = MOBILE.sub(r"\1****\2", text)
    return LANDLINE.sub(r"\1****\2", text)


def mask_name(text: str, name: str | None) -> str:
    """The text with this name down to its surname: 钱女士 becomes 钱**."""
    return text.replace(name, f"{name[0]}**") if name else text


def summary(title: str | None, text: str, name: str | None = None) -> str:
    """The title, or the first words, masked; `name` is the reporter's own, where it is known."""
    words = mask_name(" ".join((title or text).split()), name)
    return mask(words)[:SUMMARY_CHARACTERS] or "…"


def mask_address(address: str) -> str | None:
    """The address down to the building; None when nothing is left."""
    return mask(ROOM.sub("", address)).strip() or None
