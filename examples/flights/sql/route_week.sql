-- How a route went in one ISO week. Known only when the week is over: available_at is the next Monday.
SELECT
  origin,
  destination,
  date_trunc('week', date) AS week,
  date_trunc('week', date) + INTERVAL 7 DAY AS available_at,
  count(*) AS flights,
  avg(delay) AS mean_delay,
  avg(late::INTEGER) AS late_share,
  stddev_samp(delay) AS delay_deviation
FROM flights
GROUP BY origin, destination, week
ORDER BY origin, destination, week
