"""Results as people read them: one HTML page, or a few tables in a terminal.

Everything here is private output, because the results are.
"""

from tabsynth.report.html import render_html, write_report
from tabsynth.report.sections import RuleOutcome
from tabsynth.report.summary import Report, summarise
from tabsynth.report.terminal import render_terminal

__all__ = ["Report", "RuleOutcome", "render_html", "render_terminal", "summarise", "write_report"]
