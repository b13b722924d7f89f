"""The page: a report as one HTML file that a person opens first.

It must never need a network, nor run what it shows.
"""

from etl.report.page.charts import chart_in, chart_of
from etl.report.page.writing import write_page

__all__ = ["chart_in", "chart_of", "write_page"]
