"""The asv suite: bench_*.py and what they share.

asv imports every module beside this file; ratios/ has no __init__.py, so that asv does not see it.
"""
