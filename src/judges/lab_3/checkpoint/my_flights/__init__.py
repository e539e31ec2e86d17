"""Late flights: features, model and pipeline, to be run by any engine."""
