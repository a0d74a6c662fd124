"""The SQL with which a system is read; each query answers the fields of one record of `kit.records`."""

PULSE = """
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS pending,
       (SELECT count(*) FROM held_event WHERE state = 'deferred') AS deferred,
       (SELECT count(*) FROM inbox) AS heard,
       (SELECT count(*) FROM outbox) AS told
"""

TOLD = """
SELECT event_id, type, subject, partitionkey, sequence,
       published_at IS NOT NULL AS is_published, NOT is_unroutable AS is_routed
FROM outbox ORDER BY id
"""

HEARD = "SELECT event_id, type, processed_at AS at, refused FROM inbox"

HELD = "SELECT event_id, type, state, cause, partitionkey FROM held_event ORDER BY id"

_NUMBERED_REPORT = """
SELECT 'report with case' AS what, case_no AS key FROM reports WHERE case_no IS NOT NULL
"""

_CASE = "SELECT 'case of report' AS what, report_code AS key FROM cases"

_FILING = """
SELECT 'filing of report' AS what, body::jsonb #>> '{data,report_code}' AS key
FROM outbox WHERE type = 'case.filed.v1'
"""

_NOTICE = """
SELECT 'notice' AS what, concat_ws(' ', event_id, recipient, channel) AS key, event_id AS cause FROM messages
"""

_ENTRY = """
SELECT 'entry' AS what, concat_ws(' ', event_id, item, person_id) AS key, event_id AS cause
FROM entries WHERE event_id IS NOT NULL
"""

_PROBE_EFFECT = """
SELECT 'effect' AS what, event_id AS key, event_id AS cause, id AS place FROM effect
"""

_PROBE_FACT = "SELECT 'fact of thing' AS what, body::jsonb ->> 'causationid' AS key FROM outbox"

#: By service: the rows that events bring about. What the rules of `kit.effects` name must be there once each; of the
#: others each may be there once, and its cause must have been told.
EFFECTS = {
    "intake": [_NUMBERED_REPORT],
    "dispatch": [_CASE, _FILING],
    "notify": [_NOTICE],
    "points": [_ENTRY],
    "probe": [_PROBE_EFFECT, _PROBE_FACT],
}

_RECEIPT = """
SELECT receipts.message_id, receipts.outcome, count(outbox.id) AS times_told
FROM receipts
LEFT JOIN outbox ON outbox.type = 'receipt.issued.v1' AND outbox.subject = receipts.message_id
GROUP BY receipts.publisher, receipts.message_id
"""

RECEIPTS = {"intake": [_RECEIPT]}

_COUNTED = "coalesce(sum(CASE WHEN reverses IS NULL THEN counted ELSE -counted END), 0)"

_OF_PART = """
SELECT concat_ws(' ', 'the {part} of', board.person_id, 'in', board.period) AS what, board.{part} AS stated,
       (
           SELECT {counted} FROM entries
           WHERE entries.person_id = board.person_id AND entries.period = board.period AND part = '{part}'
       ) AS parts
FROM board_rows AS board
"""

_ALL_COUNTED = f"""
SELECT 'all that was ever counted' AS what,
       (SELECT coalesce(sum(base + award + penalty), 0) FROM board_rows) AS stated,
       (SELECT {_COUNTED} FROM entries) AS parts
"""  # noqa: S608 (constants only)

_ACCOUNT = """
SELECT concat_ws(' ', 'the account of', wallets.person_id) AS what, account AS stated,
       coalesce(sum(delta), 0) AS parts
FROM wallets LEFT JOIN wallet_entries USING (person_id)
GROUP BY wallets.person_id
"""

SUMS = {
    "points": [
        *(_OF_PART.format(part=part, counted=_COUNTED) for part in ("base", "award", "penalty")),
        _ALL_COUNTED,
        _ACCOUNT,
    ]
}
