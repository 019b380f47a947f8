"""Where the work is done: threads, Slurm workers, MPI ranks, and what they say of themselves."""
