SELECT day, sum(flights) AS flights, sum(cancelled) AS cancelled, round(sum(delay_minutes) / sum(flights - cancelled), 1) AS mean_delay
FROM daily GROUP BY day ORDER BY mean_delay DESC LIMIT 20
