"""Statistics of results: plain functions over the DataFrames that `cowbench.load` gives.

Exact metrics are compared by equality. Sampled ones are paired by seed and tested together; see docs/statistics.md.
"""

from cowbench.statistics.compare import compare, compare_stores, controls
from cowbench.statistics.intervals import Estimate
from cowbench.statistics.method import HEADLINE, Method, seeds_needed
from cowbench.statistics.result import VERDICTS, Comparison, Family, Verdict

__all__ = [
    "HEADLINE",
    "VERDICTS",
    "Comparison",
    "Estimate",
    "Family",
    "Method",
    "Verdict",
    "compare",
    "compare_stores",
    "controls",
    "seeds_needed",
]
