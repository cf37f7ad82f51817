"""Results as people read them: HTML pages, or a few tables in a terminal.

All is private output, because the results are, but for what `publishable` makes: it is made of a model and
synthetic rows alone.
"""

from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.report.html import render_html, write_report
from tabsynth.report.publish import Publishable, publishable
from tabsynth.report.publish_html import release_sentence, render_publishable, write_publishable
from tabsynth.report.share import share_sentence
from tabsynth.report.summary import Report, summarise
from tabsynth.report.terminal import render_terminal

__all__ = [
    "Publishable",
    "Report",
    "RuleOutcome",
    "publishable",
    "release_sentence",
    "render_html",
    "render_publishable",
    "render_terminal",
    "share_sentence",
    "summarise",
    "write_publishable",
    "write_report",
]
