"""cowbench: which copy-on-write policy copies least, and which one loses or leaks data.

In a notebook:

    import cowbench
    rows = cowbench.run(policies=["has_pinned", "anon_exclusive"], workloads=["all_pinned"])
    rows = cowbench.load("cowbench.db")

Both give a pandas DataFrame with one row a trial; `cowbench list metrics` explains the columns.
`cowbench.load_history("benchmarks/history")` gives asv's numbers over commits as one, too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cowbench.frame import load
    from cowbench.history.frame import load_history
    from cowbench.sweep import run

__all__ = ["__version__", "load", "load_history", "run"]

__version__ = "0.1.0"

# Imported when first used: they bring pandas, which costs more than a whole small run.
_LAZY = {"load": "cowbench.frame", "load_history": "cowbench.history.frame", "run": "cowbench.sweep"}


def __getattr__(name: str) -> Any:
    """Import what needs pandas on first use."""
    import importlib

    if name not in _LAZY:
        raise AttributeError(f"module 'cowbench' has no attribute '{name}'")
    return getattr(importlib.import_module(_LAZY[name]), name)
