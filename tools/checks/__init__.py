"""Rules about the repository as a whole: what `tests/contract` asks of its files. Each yields sentences; none means kept."""
