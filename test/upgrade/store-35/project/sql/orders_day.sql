SELECT day, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY day ORDER BY day
