"""Charts as inline SVG: no script, no network, colours from the page's CSS variables."""

from tabsynth.report.charts.distribution import distribution_chart
from tabsynth.report.charts.heatmap import HeatMap, heat_maps
from tabsynth.report.charts.roc import roc_chart
from tabsynth.report.charts.strip import Strip, strip_chart

__all__ = ["HeatMap", "Strip", "distribution_chart", "heat_maps", "roc_chart", "strip_chart"]
