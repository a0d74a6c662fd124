"""A bug in what a service does besides must not stop the lane."""

import pytest


@pytest.mark.parametrize("broken", [b"{", b'{"specversion":"1.0","id":"1"}'])
def test_a_hook_that_fails_leaves_the_message_in_quarantine_and_the_lane_goes_on(probe, eventually, broken):
    probe.sql("INSERT INTO mended VALUES ('hook fails')")
    probe.publish(broken)
    probe.tell({"key": "k1", "number": 1}, ids=["next"])
    eventually(lambda: [row["event_id"] for row in probe.effects()] == ["next"])
    assert len(probe.held("quarantined")) == 1
