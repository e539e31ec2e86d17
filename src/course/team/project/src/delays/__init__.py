"""A project that is trained in a moment: how often flights are late, by group."""
