"""The one place where the version is written. It must never know anything else."""

__version__ = "0.1.0"
