"""Grafana's boards: fleet, route, provider, money; `python -m dashboards` writes them as JSON into the chart."""
