"""Backend 3: real processes on a real kernel, this host's or that of a QEMU guest."""
