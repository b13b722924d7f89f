"""`python -m etl` is `coval-etl`. It must never hold anything else."""

from etl.cli import main

if __name__ == "__main__":
    main()
