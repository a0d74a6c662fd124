-- What people were told in the year that messages are kept: the reporter twice, the unit and the grid leader once a case.

CREATE TEMP TABLE growth_messages AS
SELECT pg_temp.id_at(told.at, case_no || template || recipient) AS message_id, pg_temp.id_at(told.at, case_no || type) AS event_id, type,
  case_no, report_code, area, community, recipient, template, title, summary, told.at, i, is_urgent
FROM growth AS g CROSS JOIN LATERAL (VALUES
  ('report.accepted.v1', 'reporter.accepted', reporter, '您反映的情况已受理', g.at, 2, false),
  ('case.dispatched.v1', 'unit.dispatched', 'person:g' || community || '-shequ-' || g.category, '【派单】', g.at + interval '1 second', 2, true),
  ('case.dispatched.v1', 'leader.dispatched', 'person:g' || community || '-leader-' || place, '【知悉】', g.at + interval '1 second', 2, true),
  ('case.closed.v1', 'reporter.closed', reporter, '您反映的情况已办结', g.at + interval '5 hours', 8, false)
) AS told(type, template, recipient, title, at, from_reached, is_urgent)
WHERE reached >= from_reached AND g.at > now() - interval '1 year';

INSERT INTO messages (message_id, event_id, event_type, correlation_id, case_no, report_code, subjects, area, site, recipient, channel,
  template, is_urgent, title, text, state, attempts, not_before, due_at, created_at, delivered_at, read_at)
SELECT message_id, event_id, type, report_code, case_no, report_code, ARRAY[report_code, case_no], area, 'growth-' || community, recipient,
  'inbox', template, is_urgent, title, summary || '。承办单位正在按规定时限办理，办结后会第一时间告诉您。案件编号 ' || case_no || '。',
  CASE WHEN at > current_setting('growth.until')::timestamptz - interval '3 days' OR pg_temp.chance(i, 11) < 0.02 THEN 'delivered' ELSE 'read' END,
  1, at, at, at, at,
  CASE WHEN at > current_setting('growth.until')::timestamptz - interval '3 days' OR pg_temp.chance(i, 11) < 0.02 THEN NULL
       ELSE at + interval '1 hour' END
FROM growth_messages;

INSERT INTO deliveries (message_id, attempt, begun_at, ended_at, outcome, detail)
SELECT message_id, 1, at, at, 'delivered', NULL FROM growth_messages;

INSERT INTO event_sequence (aggregate, last) SELECT 'message:' || message_id, 1 FROM growth_messages;

INSERT INTO inbox (source, event_id, type, processed_at)
SELECT DISTINCT CASE WHEN type = 'report.accepted.v1' THEN 'intake:/wangge/intake' ELSE 'dispatch:/wangge/dispatch' END, event_id, type, at
FROM growth_messages WHERE at > now() - interval '30 days';

INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body, created_at, published_at)
SELECT pg_temp.id_at(at, 'told' || message_id), 'message.delivered.v1', message_id, 1, 'notify.events', 'message.delivered.14.08.02.002',
  recipient, jsonb_build_object('specversion', '1.0', 'source', '/wangge/notify', 'subject', message_id, 'area', area, 'data',
    jsonb_build_object('message_id', message_id, 'recipient', recipient, 'channel', 'inbox', 'template', template, 'at', at))::text, at, at
FROM growth_messages WHERE at > now() - interval '30 days';
