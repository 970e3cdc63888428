-- One row per flight, with what is known when it leaves the gate and what became of it.
SELECT
  date,                                    -- actual local departure
  delay,                                   -- minutes, known at arrival
  distance,
  origin,
  destination,
  delay > 15 AS late,
  hour(date)::INTEGER AS hour,
  isodow(date)::INTEGER AS weekday         -- 1 = Monday
FROM raw_flights
