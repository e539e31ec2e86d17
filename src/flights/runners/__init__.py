"""One short module for each way to run the pipeline. A runner only adapts; the pipeline is in `flights.pipeline`."""
