"""Searching the space of rules: which conditions over what a kernel can see keep what promise, and at which price.

grammar.py says which rules there are, screening.py goes through all of them at once on programs, workloads.py counts
what is left on the workloads, proposal.py puts the outcome together, source.py writes a rule as a policy file.
"""
