SELECT customer_id, first_name, last_name, customer_lifetime_value
FROM customers
WHERE number_of_orders > 1
ORDER BY customer_lifetime_value DESC
LIMIT 10
