"""Statistics of results: plain functions over the DataFrames that `cowbench.load` gives.

Exact metrics are compared by equality. Sampled ones are paired by seed and tested together; see docs/statistics.md.
"""

from cowbench.statistics.best import probability_best, profile
from cowbench.statistics.compare import compare, compare_stores, controls
from cowbench.statistics.intervals import Estimate
from cowbench.statistics.method import HEADLINE, Method, seeds_needed
from cowbench.statistics.ranks import Ranks, critical_difference, rank
from cowbench.statistics.result import VERDICTS, Comparison, Family, Verdict
from cowbench.statistics.same import FalseAlarms, false_alarms
from cowbench.statistics.words import sentence

__all__ = [
    "HEADLINE",
    "VERDICTS",
    "Comparison",
    "Estimate",
    "FalseAlarms",
    "Family",
    "Method",
    "Ranks",
    "Verdict",
    "compare",
    "compare_stores",
    "controls",
    "critical_difference",
    "false_alarms",
    "probability_best",
    "profile",
    "rank",
    "seeds_needed",
    "sentence",
]
