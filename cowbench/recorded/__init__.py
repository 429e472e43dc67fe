"""What a recording shows: its summary, the picture of its writes, and a synthetic workload that is like it."""
