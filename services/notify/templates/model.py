"""Says what a template is; its language is told in `wangge.contracts.sites.wording`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """What is said, in Chinese, with the facts of an event in its gaps."""

    code: str
    title: str
    text: str
