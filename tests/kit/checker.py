"""What must hold of a system once it is quiet, whatever happened before; every difference is told in words.

In the manner of Jepsen: the checker is given records only (`kit.records`) and the test's own account of what it sent
(`kit.ledger`). A difference says which event, which service, what is wrong with it and where it is likely to be found.

Every committed fact has its effect in every subscriber exactly once; nothing has an effect that nobody committed;
effects of one aggregate follow its sequence; nothing is left in outbox, queue or deferral; what is parked is the
poison that was sent; every publisher's message has one receipt; points add up.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from kit import deliveries, outcomes
from kit.ledger import Ledger
from kit.records import Records

#: What must hold, in words, and what finds where it does not.
INVARIANTS: dict[str, Callable[[Records, Ledger], Iterator[str]]] = {
    "every committed fact is published": deliveries.unpublished,
    "every published fact that has subscribers reaches a queue": deliveries.unroutable,
    "queues and dead queues of all cells are empty": deliveries.queued,
    "no event is deferred any more": deliveries.deferred,
    "every committed fact is processed by every subscriber": deliveries.lost,
    "none is processed twice": deliveries.doubled,
    "none is processed that nobody committed": deliveries.invented,
    "what is parked is the poison that was sent, each once": deliveries.parked,
    "the facts of an aggregate are numbered without a gap": deliveries.gaps,
    "the facts of an aggregate are processed in the order of their numbers": deliveries.out_of_order,
    "what was processed has its effect": outcomes.without_effect,
    "no effect is there twice": outcomes.effect_doubled,
    "no effect is there that no fact asked for": outcomes.effect_invented,
    "every message of a publisher has one receipt of the right outcome": outcomes.receipts,
    "points add up: entries, boards and accounts": outcomes.sums,
}


def check(records: Records, ledger: Ledger) -> list[str]:
    """Every difference between what was told and what came of it; empty when all is well."""
    return list(chain.from_iterable(look(records, ledger) for look in INVARIANTS.values()))
