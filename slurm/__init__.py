"""Cluster settings: the Snakemake profile, the Dask workers and a Slurm cluster on one machine."""
