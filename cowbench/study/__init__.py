"""Studies: questions answered by experiments, with claims that are checked each time they run.

A study is a TOML file (definition.py says what stands in it). Its experiments are grids of trials like any
other, kept in a store; its claims and answers are expressions over their rows (rows.py says what can be asked of
them), so a study is also a regression test.
"""
