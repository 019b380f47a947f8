"""Where Snakemake looks for an executor of the name `uttag`: it goes by the names of packages on the path."""

from slurm.executor import Executor, ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
