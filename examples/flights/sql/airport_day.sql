-- How an airport's departures went on one day, and over the seven days that end with it.
-- The airlines deliver one file a week: a day is known when the file of its week has arrived, so available_at is the Monday after.
WITH daily AS (
  SELECT
    origin AS airport,
    date_trunc('day', date) AS day,
    count(*) AS departures,
    sum(delay) AS delay_sum,
    sum(late::INTEGER) AS late_count
  FROM flights
  GROUP BY airport, day
)
SELECT
  airport,
  day,
  date_trunc('week', day) + INTERVAL 7 DAY AS available_at,
  departures,
  delay_sum / departures AS mean_delay,
  late_count / departures AS late_share,
  sum(departures) OVER week AS departures_week,
  sum(delay_sum) OVER week / sum(departures) OVER week AS mean_delay_week,
  sum(late_count) OVER week / sum(departures) OVER week AS late_share_week
FROM daily
WINDOW week AS (PARTITION BY airport ORDER BY day RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW)
ORDER BY airport, day
