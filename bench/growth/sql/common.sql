-- What every database is filled from: the cases of a street, numbered 1 … growth.cases by the instant of their filing.
-- The settings growth.cases, growth.until (the last filing) and growth.days (how far back) are set before.

CREATE FUNCTION pg_temp.chance(i bigint, of_what bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (hashint8extended(i, of_what) & 1048575) / 1048576.0::float8 $$;

-- ids that sort by their instant, as UUIDv7 do
CREATE FUNCTION pg_temp.id_at(at timestamptz, salt text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT left(ms, 8) || '-' || right(ms, 4) || '-7' || left(m, 3) || '-8' || substr(m, 4, 3) || '-' || substr(m, 7, 12)
   FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms, md5(salt) AS m) AS made $$;

CREATE TEMP TABLE growth_categories (code text, name text, share float8, urgency text, assists int, needs_check bool,
                                     is_credited bool, hours float8);
INSERT INTO growth_categories VALUES
  ('E0110', '暴露生活垃圾', 0.30, 'none', 0, true, true, 12), ('G0201', '咨询', 0.48, 'none', 0, false, false, 34),
  ('C0137', '路灯单盏不亮', 0.58, 'none', 0, true, false, 67), ('G0202', '帮办代办', 0.66, 'none', 0, false, false, 101),
  ('E0184', '违规养犬', 0.73, 'none', 2, true, false, 34), ('E0108b', '飞线充电', 0.79, 'high', 1, true, true, 12),
  ('E0508', '架空线缆脱落', 0.84, 'high', 1, true, true, 6), ('G0101', '邻里纠纷', 0.89, 'none', 1, true, false, 504),
  ('E0183', '外立面裂缝', 0.93, 'high', 1, true, true, 504), ('E0301', '施工扰民', 0.97, 'high', 0, true, false, 2),
  ('E0596', '高空坠物', 1.00, 'emergency', 1, true, true, 2);

CREATE TEMP TABLE growth AS
WITH numbered AS (
  SELECT i, 1 + floor(9 * pg_temp.chance(i, 1))::int AS community,
         -- some grids are quieter than others
         1 + floor(19 * power(pg_temp.chance(i, 2), 1.4))::int AS place,
         current_setting('growth.until')::timestamptz
           - make_interval(secs => 86400.0 * current_setting('growth.days')::float8
                                   * (1 - i / current_setting('growth.cases')::float8)) AS at
  FROM generate_series(1, current_setting('growth.cases')::bigint) AS i),
placed AS (
  SELECT i, community, place, at,
         (at AT TIME ZONE 'Asia/Shanghai')::date AS day,
         '140802002' || lpad(community::text, 3, '0') AS community_code,
         CASE WHEN place = 19 THEN '60100' ELSE lpad(place::text, 3, '0') || '00' END AS grid,
         -- of the last twentieth, three in five are still open
         i > 0.95 * current_setting('growth.cases')::float8 AND pg_temp.chance(i, 4) < 0.6 AS is_open,
         (SELECT code FROM growth_categories WHERE share >= pg_temp.chance(i, 3) ORDER BY share LIMIT 1) AS category
  FROM numbered)
SELECT i, community, place, at, day, community_code, community_code || grid AS area, placed.category, name AS category_name,
       '140802' || to_char(day, 'YYYYMMDD') || lpad((i - min(i) OVER (PARTITION BY day) + 1)::text, 5, '0') AS case_no,
       'BG' || to_char(day, 'YYYYMMDD') || '-' || lpad(i::text, 6, '0') AS report_code,
       urgency, assists AS a, needs_check, is_credited,
       -- how far it is: 2 dispatched, 3 claimed, 4 handling, 5 handled, 6 checking, 8 closed
       CASE WHEN NOT is_open THEN 8
            ELSE least((ARRAY[2, 2, 2, 3, 4, 4, 4, 5, 6])[1 + floor(9 * pg_temp.chance(i, 5))::int],
                       CASE WHEN needs_check THEN 6 ELSE 5 END) END AS reached,
       at + make_interval(hours => 1) * hours AS deadline,
       CASE WHEN pg_temp.chance(i, 6) < 0.6 THEN 'hotline_12345' WHEN pg_temp.chance(i, 6) < 0.9 THEN 'grid_visit' ELSE 'patrol' END
         AS channel,
       CASE WHEN pg_temp.chance(i, 6) < 0.6 THEN 'publisher:hotline12345'
            ELSE 'person:g' || community || '-member-' || 1 + floor(120 * pg_temp.chance(i, 7))::int END AS reporter,
       community * 0.03 + 110.9 + 0.004 * ((place - 1) % 5 + pg_temp.chance(i, 8)) AS lng,
       35.0 + 0.004 * ((place - 1) / 5 + pg_temp.chance(i, 9)) AS lat,
       category_name_text.summary
FROM placed JOIN growth_categories ON code = placed.category
CROSS JOIN LATERAL (SELECT '第' || place || '网格门前：' || name || '，请派人看看，编号 ' || i AS summary) AS category_name_text;
ANALYZE growth;
