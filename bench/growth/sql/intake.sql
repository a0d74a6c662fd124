-- Reports as the services leave them: of each case one, of one in ten cases a second one that was merged; their moves and receipts.

CREATE TEMP TABLE growth_reports AS
SELECT report_code AS code, CASE WHEN reached = 8 THEN 'closed' ELSE 'filed' END AS status, g.*, i AS number, NULL AS merged_into
FROM growth AS g
UNION ALL
SELECT 'BG' || to_char(day, 'YYYYMMDD') || '-9' || lpad(i::text, 7, '0'), 'merged', g.*, i + 100000000, report_code
FROM growth AS g WHERE pg_temp.chance(i, 10) < 0.1;

INSERT INTO reports (code, status, sender, external_no, channel, title, text, given_area, given_category, given_urgency, sender_ref,
  lng, lat, address, evidence, occurred_at, received_at, area, community, located_by, category, urgency, reporter_ref,
  is_confidential, wants_reply, merged_into, reason, reply, case_no, case_sequence, version)
SELECT code, status, CASE WHEN channel = 'hotline_12345' THEN 'publisher:hotline12345' ELSE reporter END,
  CASE WHEN channel = 'hotline_12345' THEN 'GD' || number END, channel, category_name, summary, area, category, 'none', NULL,
  lng, lat, '第' || place || '网格', '[]', at, at, area, community_code, 'sender', category, urgency,
  CASE WHEN merged_into IS NULL THEN reporter ELSE 'resident:r' || i END, false, true, merged_into, NULL, NULL,
  CASE WHEN merged_into IS NULL THEN case_no END,
  CASE WHEN merged_into IS NOT NULL THEN 0 WHEN reached < 8 THEN 1 WHEN needs_check THEN 6 ELSE 5 END,
  CASE status WHEN 'merged' THEN 2 WHEN 'filed' THEN 3 ELSE 4 END
FROM growth_reports;

INSERT INTO report_moves (report_code, command, source, target, at, by, note)
SELECT code, command, step.source, step.target, at + after, by, NULL
FROM growth_reports CROSS JOIN LATERAL (VALUES
  (true, 'submit', 'draft', 'submitted', interval '0', reporter),
  (merged_into IS NOT NULL, 'merge', 'submitted', 'merged', interval '0', NULL),
  (merged_into IS NULL, 'accept', 'submitted', 'accepted', interval '0', NULL),
  (merged_into IS NULL, 'file', 'accepted', 'filed', interval '1 second', 'dispatch'),
  (merged_into IS NULL AND reached = 8, 'close', 'filed', 'closed', interval '5 hours', 'dispatch')
) AS step(is_taken, command, source, target, after, by) WHERE is_taken;

INSERT INTO receipts (publisher, message_id, outcome, report_code, of, errors, issued_at, received_on)
SELECT 'hotline12345', pg_temp.id_at(at, 'told' || code), CASE WHEN merged_into IS NULL THEN 'accepted' ELSE 'merged' END, code,
  merged_into, '[]', at, day
FROM growth_reports WHERE channel = 'hotline_12345';

SELECT setval('report_number', 2 * current_setting('growth.cases')::bigint + 1000);

INSERT INTO event_sequence (aggregate, last) SELECT 'report:' || code, 1 FROM growth_reports;

INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body, created_at, published_at)
SELECT pg_temp.id_at(at, code), CASE WHEN merged_into IS NULL THEN 'report.accepted.v1' ELSE 'report.merged.v1' END, code, 1,
  'intake.events', 'report.accepted.14.08.02.002', coalesce(merged_into, code),
  jsonb_build_object('specversion', '1.0', 'source', '/wangge/intake', 'subject', code, 'area', area, 'data', jsonb_build_object(
    'report_code', code, 'channel', channel, 'category', category, 'area', area, 'summary', summary, 'received_at', at))::text, at, at
FROM growth_reports WHERE at > now() - interval '30 days';

INSERT INTO inbox (source, event_id, type, processed_at)
SELECT 'dispatch:/wangge/dispatch', pg_temp.id_at(at + after, case_no || type), type || '.v1', at + after
FROM growth, (VALUES ('case.filed', 2, interval '0'), ('case.closed', 8, interval '5 hours')) AS told(type, from_reached, after)
WHERE reached >= from_reached AND at > now() - interval '30 days';
