"""Will a flight arrive late? Features, model and pipeline."""
