"""Ends the sleep of this process's courier once messages wait for it."""

from wangge.chassis.service import Waker

#: Woken after a commit that queued messages; other processes' couriers find them at their next look.
courier = Waker()
