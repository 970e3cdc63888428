-- Each flight with its airline, the weather of its hour, and who owned its plane then.
SELECT
  f.time_hour, f.carrier, a.name AS airline, f.flight, f.tailnum, f.origin, f.dest,
  f.dep_delay, f.arr_delay, f.dep_time IS NULL AS is_cancelled,
  p.owner, p.seats, w.temp, w.wind_speed, w.precip, w.visib
FROM flights f
JOIN airlines a USING (carrier)
LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
LEFT JOIN planes p ON p.tailnum = f.tailnum
  AND p.valid_from <= f.time_hour AND (p.valid_to > f.time_hour OR p.valid_to IS NULL)
