"""Lets those who ask the same at the same time share one answer.

Guarantee: nobody gets an answer that was asked for before they came; one question runs at a time. Who asks alone waits
for nobody. Limit: what the question raises, all who share it get; `Infrastructure` where whoever asked was ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from eventlet.event import Event as Signal
from eventlet.semaphore import Semaphore

from wangge.chassis.errors import Infrastructure

Answer = TypeVar("Answer")


class SharedAnswer(Generic[Answer]):
    """The answer to one question, asked as often as needed."""

    def __init__(self) -> None:
        self._turn = Semaphore()
        self._next: Any = None

    def get(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` answers to somebody who came no later than it began."""
        if self._next is not None:
            shared: Answer = self._next.wait()
            return shared
        own = self._next = Signal()
        try:
            with self._turn:
                self._next = None
                answer = ask()
        except BaseException as error:
            if self._next is own:
                self._next = None
            own.send_exception(error if isinstance(error, Exception) else Infrastructure("interrupted"))
            raise
        own.send(answer)
        return answer
