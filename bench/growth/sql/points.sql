-- Entries that closings posted, within the limit of their item, and what follows from them: tallies, scores, wallets.

CREATE TEMP TABLE growth_entries AS
SELECT pg_temp.id_at(at + interval '5 hours', 'entry' || i) AS entry_id, m.person_id, m.site, m.area, r.rule_set_id,
  to_char(day, 'YYYY"Q"Q') AS period, day, at + interval '5 hours' AS at, case_no, i,
  row_number() OVER (PARTITION BY m.person_id, to_char(day, 'YYYY"Q"Q') ORDER BY i) AS nth
FROM growth JOIN members AS m ON m.person_id = split_part(reporter, ':', 2) JOIN rule_sets AS r ON r.site = m.site
WHERE reached = 8 AND is_credited;

INSERT INTO entries (entry_id, person_id, site, area, item, part, value, counted, rule_set_id, period, occurred_on, state, source,
  event_id, case_no, closing, evidence, recorded_by, recorded_at, posted_at, is_carried, version)
SELECT entry_id, person_id, site, area, 'A4', 'award', 2, CASE WHEN nth <= 5 THEN 2 ELSE 0 END, rule_set_id, period, day, 'posted', 'event',
  pg_temp.id_at(at, case_no || 'case.closed'), case_no, 1, '[]', 'rule_set', at, at, false, 1
FROM growth_entries;

INSERT INTO tallies (person_id, period, item, times, rule_set_id)
SELECT person_id, period, 'A4', jsonb_build_object('2.00', count(*)), min(rule_set_id) FROM growth_entries GROUP BY person_id, period;

INSERT INTO board_rows (person_id, period, base, award, penalty, total, rule_set_id)
SELECT person_id, period, 0, least(count(*), 5) * 2, 0, least(count(*), 5) * 2, min(rule_set_id)
FROM growth_entries GROUP BY person_id, period;

INSERT INTO wallet_entries (person_id, delta, balance_after, shortfall_after, reason, ref, at)
SELECT person_id, 2, 2 * row_number() OVER (PARTITION BY person_id ORDER BY entry_id), 0, 'entry', entry_id, at
FROM growth_entries WHERE nth <= 5 ORDER BY entry_id;

INSERT INTO wallets (person_id, account)
SELECT person_id, sum(delta) FROM wallet_entries GROUP BY person_id;

UPDATE sites SET boards_version = boards_version + 1;

INSERT INTO event_sequence (aggregate, last) SELECT 'points:' || entry_id, 1 FROM growth_entries WHERE nth <= 5;

INSERT INTO inbox (source, event_id, type, processed_at)
SELECT 'dispatch:/wangge/dispatch', pg_temp.id_at(at + interval '5 hours', case_no || 'case.closed'), 'case.closed.v1',
  at + interval '5 hours'
FROM growth WHERE reached = 8 AND at > now() - interval '30 days';

INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body, created_at, published_at)
SELECT pg_temp.id_at(at, 'told' || entry_id), 'points.posted.v1', entry_id, 1, 'points.events', 'points.posted.14.08.02.002', person_id,
  jsonb_build_object('specversion', '1.0', 'source', '/wangge/points', 'subject', entry_id, 'area', area, 'data', jsonb_build_object(
    'entry_id', entry_id, 'person_id', person_id, 'item', 'A4', 'value', '2.00', 'period', period, 'case_no', case_no))::text, at, at
FROM growth_entries WHERE nth <= 5 AND at > now() - interval '30 days';

-- the ninth community stands for a county: its board grows with the cases, a member for twenty of them
INSERT INTO members (person_id, site, org, status, area)
SELECT 'g9-county-' || i, 'growth-9', '党支部', 'formal', '140802002009' FROM generate_series(1, current_setting('growth.cases')::int / 20) AS i;
INSERT INTO board_rows (person_id, period, base, award, penalty, total, rule_set_id)
SELECT 'g9-county-' || i, to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY"Q"Q'), floor(80 * pg_temp.chance(i, 12)),
  floor(20 * pg_temp.chance(i, 13)), 0, floor(80 * pg_temp.chance(i, 12)) + floor(20 * pg_temp.chance(i, 13)), rule_set_id
FROM generate_series(1, current_setting('growth.cases')::bigint / 20) AS i, rule_sets WHERE site = 'growth-9';
