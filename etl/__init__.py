"""coval-etl: test suites and agent configurations into Coval, out of it, and across it."""
