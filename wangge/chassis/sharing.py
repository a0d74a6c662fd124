"""Runs commands that come at the same time in one transaction: a commit costs for many what it costs for one.

Guarantee: each command takes effect once and has its own answer, as if alone. A refusal is an answer; where a command
ends in anything else, nothing of that transaction takes effect, and each runs in a transaction of its own. None waits
for others to come: what comes while `AT_ONCE` transactions run goes together into the next.
Limit: for commands that refuse before they write.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import eventlet
from eventlet.event import Event as Signal

from wangge.chassis.database import Database
from wangge.chassis.errors import Infrastructure, Refusal
from wangge.chassis.faults import classify
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.transaction import Cause, Transaction

log = get_logger(__name__)

#: Commands of one transaction, at most.
MOST = 50

#: Transactions at a time: while one waits for the disk, another may work.
AT_ONCE = 2

Answer = TypeVar("Answer")
Asked = TypeVar("Asked")


class Command(Generic[Asked, Answer]):
    """One command: what is asked, why, and what is to be done."""

    def __init__(self, asked: Asked, cause: Cause, act: Callable[[Transaction], Answer]) -> None:
        self.asked = asked
        self.cause = cause
        self._act = act
        self.outcome = Signal()

    def run(self, tx: Transaction) -> Answer | Refusal:
        """Its answer, or its refusal."""
        tx.cause = self.cause
        with bound(correlation_id=self.cause.correlation_id):
            try:
                return self._act(tx)
            except Refusal as refusal:
                return refusal


class Sharing(Generic[Asked, Answer]):
    """The commands of one kind in one process. `prepare` asks once for what all commands of a transaction need."""

    def __init__(self, database: Database, prepare: Callable[[Transaction, Sequence[Asked]], None]) -> None:
        self._database = database
        self._prepare = prepare
        self._waiting: deque[Command[Asked, Answer]] = deque()
        self._running = 0

    def run(self, command: Command[Asked, Answer], alone: Callable[[], Answer]) -> Answer:
        """The command's answer; `alone` runs it by itself where that is needed.

        Raises its refusal, what `alone` raises, or `Infrastructure` when the database is away.
        """
        self._waiting.append(command)
        if self._running < AT_ONCE:
            self._running += 1
            self._work()
        answer = command.outcome.wait()
        if answer is _ALONE:
            return alone()
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def _work(self) -> None:
        together = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        answers: Sequence[Any] = [Infrastructure("interrupted")] * len(together)
        try:
            answers = self._answers(together) if together else ()
        finally:
            for command, answer in zip(together, answers, strict=True):
                command.outcome.send(answer)
            if self._waiting:
                eventlet.spawn(self._work)
            else:
                self._running -= 1

    def _answers(self, together: Sequence[Command[Asked, Answer]]) -> Sequence[Any]:
        try:
            with self._database.begin() as tx:
                self._prepare(tx, [command.asked for command in together])
                return [command.run(tx) for command in together]
        except Exception as error:
            fault = classify(error)
            if isinstance(fault, Infrastructure):
                return [fault] * len(together)  # it may have been committed: only who asked may ask again
            log.info("commands that shared a transaction run alone", commands=len(together), cause=str(fault))
            return [_ALONE] * len(together)


_ALONE = object()
