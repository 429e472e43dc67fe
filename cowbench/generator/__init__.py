"""Random programs for holding machines against each other, and shrinking the one that tells them apart."""

from cowbench.generator.program import random_program, steps
from cowbench.generator.shrink import shrink, without

__all__ = ["random_program", "shrink", "steps", "without"]
