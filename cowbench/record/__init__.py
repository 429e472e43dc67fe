"""Recording of real process trees: what they write, fork, discard and pin, as a program file (docs/record.md)."""
