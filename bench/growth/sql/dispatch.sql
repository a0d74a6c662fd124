-- Cases as the services leave them: each with its parts, clocks, history without gaps, reporters, and the facts told.

CREATE TEMP TABLE growth_filed AS
SELECT g.*, s.site, c.level, c."limit", c.clock_from, c.closing_condition, c.on_spot_allowed,
       coalesce(c.lead, s.grid_leads ->> g.area, s.community_unit) AS lead,
       array_remove(c.assist, coalesce(c.lead, s.grid_leads ->> g.area, s.community_unit)) AS assist,
       -- a missed deadline of what is still open was told, once
       reached < 5 AND deadline < now() + interval '2 hours' OR reached = 6 AND at < now() - interval '1 day' AS is_told
FROM growth AS g JOIN sites AS s ON s.area = g.community_code JOIN categories AS c ON c.site = s.site AND c.code = g.category;

INSERT INTO cases (case_no, report_code, site, area, channel, urgency, summary, location, reporter, is_confidential, category,
  category_name, level, "limit", clock_from, closing_condition, on_spot_allowed, needs_check, pool, units_allowed,
  received_at, filed_at, changed_at, state, version, round, dispatched_at, claimed_at, started_at, handled_at, checked_at,
  closed_at, handler, hands, helpers, checker, check_passed, closer, is_on_spot, result, reply, rework_count, reopen_count,
  closing, lead, units, deadline, next_due_at)
SELECT case_no, report_code, site, area, channel, urgency, summary, jsonb_build_object('lng', lng, 'lat', lat), reporter, false,
  category, category_name, level, "limit", clock_from, closing_condition, on_spot_allowed, needs_check, false, '{}',
  at, at, CASE WHEN is_told THEN least(now(), greatest(deadline, at + interval '3 hours')) ELSE at + interval '5 hours' END,
  CASE reached WHEN 2 THEN 'dispatched' WHEN 3 THEN 'claimed' WHEN 4 THEN 'handling' WHEN 5 THEN 'handled'
               WHEN 6 THEN 'checking' ELSE 'closed' END,
  CASE WHEN reached < 5 THEN reached WHEN reached < 8 THEN reached + a WHEN needs_check THEN 8 + a ELSE 6 + a END + is_told::int,
  1, at,
  CASE WHEN reached >= 3 THEN at + interval '10 minutes' END, CASE WHEN reached >= 4 THEN at + interval '30 minutes' END,
  CASE WHEN reached >= 5 THEN at + interval '2 hours' END,
  CASE WHEN reached >= 8 AND needs_check THEN at + interval '4 hours' END, CASE WHEN reached = 8 THEN at + interval '5 hours' END,
  CASE WHEN reached >= 3 THEN lead || '-contact' END, CASE WHEN reached >= 3 THEN ARRAY[lead || '-contact'] ELSE '{}' END, '{}',
  CASE WHEN reached >= 6 AND needs_check THEN 'g' || community || '-checker-1' END, reached = 8 AND needs_check,
  CASE WHEN reached = 8 THEN 'g' || community || '-operator' END, false,
  CASE WHEN reached >= 5 THEN '已到场处置完毕。' END, CASE WHEN reached = 8 THEN '您反映的问题已办理完毕，感谢您的反映。' END,
  0, 0, (reached = 8)::int, lead, (SELECT array_agg(u ORDER BY u) FROM unnest(array_append(assist, lead)) AS u), deadline,
  CASE WHEN is_told OR reached IN (5, 8) THEN NULL WHEN reached = 6 THEN at + interval '30 days' ELSE deadline END
FROM growth_filed;

INSERT INTO assignments (case_no, round, unit, is_lead, state, sent_at, claimed_at, done_at, result)
SELECT case_no, 1, lead, true, CASE WHEN reached >= 5 THEN 'done' WHEN reached >= 3 THEN 'claimed' ELSE 'sent' END, at,
  CASE WHEN reached >= 3 THEN at + interval '10 minutes' END, CASE WHEN reached >= 5 THEN at + interval '2 hours' END,
  CASE WHEN reached >= 5 THEN '已到场处置完毕。' END
FROM growth_filed
UNION ALL
SELECT case_no, 1, unit, false, CASE WHEN reached >= 5 THEN 'done' ELSE 'sent' END, at, NULL,
  CASE WHEN reached >= 5 THEN at + interval '1 hour' END, CASE WHEN reached >= 5 THEN '已到场协助。' END
FROM growth_filed, unnest(assist) AS unit;

INSERT INTO clocks (case_no, stage, number, "limit", started_at, deadline, finished_at, overdue_at)
SELECT case_no, 'claim', 1, '4 work_hour', at, at + interval '4 hours', CASE WHEN reached >= 3 THEN at + interval '10 minutes' END, NULL
FROM growth_filed
UNION ALL
SELECT case_no, 'handle', 1, "limit", at, deadline, CASE WHEN reached >= 5 THEN at + interval '2 hours' END,
  CASE WHEN is_told AND reached < 5 THEN least(now(), deadline) END
FROM growth_filed
UNION ALL
SELECT case_no, 'check', 1, '1 work_day', at + interval '3 hours', at + interval '30 days',
  CASE WHEN reached = 8 THEN at + interval '4 hours' END, CASE WHEN is_told AND reached = 6 THEN least(now(), at + interval '30 days') END
FROM growth_filed WHERE reached >= 6 AND needs_check;

INSERT INTO flow_records (case_no, seq, op, from_state, to_state, actor, unit, opinion, receiver, evidence, at)
SELECT case_no, seq, op, from_state, to_state, actor, step.unit, opinion, receiver, '[]', g.at + after
FROM growth_filed AS g CROSS JOIN LATERAL (VALUES
  (1, 1, 'file', NULL, 'filed', 'system', NULL, '', NULL, interval '0'),
  (2, 2, 'dispatch', 'filed', 'dispatched', 'system', NULL, '', lead, interval '0'),
  (3, 3, 'claim', 'dispatched', 'claimed', lead || '-contact', lead, '', lead, interval '10 minutes'),
  (4, 4, 'start', 'claimed', 'handling', lead || '-contact', lead, '', NULL, interval '30 minutes'),
  (5, 5 + a, 'feedback', 'handling', 'handled', lead || '-contact', lead, '已到场处置完毕。', NULL, interval '2 hours'),
  (6, CASE WHEN needs_check THEN 6 + a END, 'send_check', 'handled', 'checking', 'g' || community || '-operator', NULL, '',
   'g' || community || '-checker-1', interval '3 hours'),
  (8, CASE WHEN needs_check THEN 7 + a END, 'check', 'checking', 'checking', 'g' || community || '-checker-1', NULL, '', NULL,
   interval '4 hours'),
  (8, CASE WHEN needs_check THEN 8 + a ELSE 6 + a END, 'close', CASE WHEN needs_check THEN 'checking' ELSE 'handled' END, 'closed',
   'g' || community || '-operator', NULL, '您反映的问题已办理完毕，感谢您的反映。', NULL, interval '5 hours')
) AS step(from_reached, seq, op, from_state, to_state, actor, unit, opinion, receiver, after)
WHERE reached >= from_reached AND seq IS NOT NULL;
INSERT INTO flow_records (case_no, seq, op, from_state, to_state, actor, unit, opinion, receiver, evidence, at)
SELECT case_no, 4 + nth, 'assist_done', 'handling', 'handling', unit || '-contact', unit, '已到场协助。', unit, '[]', at + interval '1 hour'
FROM growth_filed, unnest(assist) WITH ORDINALITY AS assisting(unit, nth) WHERE reached >= 5;
INSERT INTO flow_records (case_no, seq, op, from_state, to_state, actor, unit, opinion, receiver, evidence, at)
SELECT g.case_no, c.version, 'overdue', c.state, c.state, 'system', NULL, CASE WHEN reached = 6 THEN 'check' ELSE 'handle' END, g.lead,
  '[]', c.changed_at
FROM growth_filed AS g JOIN cases AS c USING (case_no) WHERE is_told;

INSERT INTO reporters (of_report, report_code, ref, wants_reply, is_confidential)
SELECT report_code, report_code, reporter, true, false FROM growth_filed
UNION ALL
SELECT report_code, 'BG' || to_char(day, 'YYYYMMDD') || '-9' || lpad(i::text, 7, '0'), 'resident:r' || i, true, false
FROM growth_filed WHERE pg_temp.chance(i, 10) < 0.1;

INSERT INTO case_serials (county, day, last)
SELECT '140802', day, count(*) + 20 FROM growth_filed GROUP BY day
ON CONFLICT (county, day) DO UPDATE SET last = excluded.last;

INSERT INTO event_sequence (aggregate, last)
SELECT 'case:' || case_no,
  CASE WHEN reached < 3 THEN 2 WHEN reached < 5 THEN 3 WHEN reached < 8 THEN 4 WHEN needs_check THEN 6 ELSE 5 END + is_told::int
FROM growth_filed;

-- published facts and marks of processed messages are kept for a month
INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body, created_at, published_at)
SELECT pg_temp.id_at(g.at + after, case_no || type), type || '.v1', case_no, seq, 'dispatch.events', type || '.14.08.02.002', report_code,
  jsonb_build_object('specversion', '1.0', 'type', type || '.v1', 'source', '/wangge/dispatch', 'subject', case_no, 'area', area,
    'data', jsonb_build_object('case_no', case_no, 'report_code', report_code, 'area', area, 'category', category, 'lead', lead,
      'summary', summary, 'deadline', deadline, 'at', g.at + after))::text, g.at + after, g.at + after
FROM growth_filed AS g CROSS JOIN LATERAL (VALUES
  (2, 'case.filed', 1, interval '0'), (2, 'case.dispatched', 2, interval '0'), (3, 'case.claimed', 3, interval '10 minutes'),
  (5, 'case.handled', 4, interval '2 hours'), (8, CASE WHEN needs_check THEN 'case.checked' END, 5, interval '4 hours'),
  (8, 'case.closed', CASE WHEN needs_check THEN 6 ELSE 5 END, interval '5 hours')) AS told(from_reached, type, seq, after)
WHERE reached >= from_reached AND type IS NOT NULL AND g.at > now() - interval '30 days';

INSERT INTO inbox (source, event_id, type, processed_at)
SELECT 'intake:/wangge/intake', pg_temp.id_at(at, report_code), 'report.accepted.v1', at FROM growth WHERE at > now() - interval '30 days';

-- the trigger that keeps them does not fire while filling
INSERT INTO case_sights (key, is_open, filed_at, case_no)
SELECT unnest(case_sight_keys(area, units, lead)), case_is_open(state), filed_at, case_no FROM cases;
