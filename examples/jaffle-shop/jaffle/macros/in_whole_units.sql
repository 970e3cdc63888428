{% macro in_whole_units(column) %}({{ column }} / 100)::decimal(16, 2){% endmacro %}
