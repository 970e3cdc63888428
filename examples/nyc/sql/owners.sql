-- Owners by what flew while it was theirs.
SELECT owner, count(*) AS flights, count(DISTINCT tailnum) AS planes, avg(arr_delay) AS arr_delay
FROM flight_facts WHERE owner IS NOT NULL GROUP BY owner
