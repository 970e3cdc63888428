-- Flights of a day and an airport. Only the days of the interval are read.
SELECT
  make_date(year, month, day) AS day,
  origin,
  count(*) AS flights,
  count(*) FILTER (WHERE dep_time IS NULL) AS cancelled,
  count(*) FILTER (WHERE arr_delay > 15) AS late,
  sum(dep_delay) AS delay_minutes
FROM flights
WHERE make_date(year, month, day) >= $interval_start AND make_date(year, month, day) < $interval_end
GROUP BY ALL
