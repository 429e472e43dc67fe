"""Real programs that fork, driven so that they can be recorded and held against what the kernel counted."""
