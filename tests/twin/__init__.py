"""The scalar twin: a second model, page by page, that shares nothing with cowbench.simulated but the operations."""

from tests.twin.machine import Twin

__all__ = ["Twin"]
