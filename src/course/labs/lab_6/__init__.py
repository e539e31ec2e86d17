"""Lab 6, operate: what its notebook and the trials of its checks use. Nothing here knows what goes wrong for a student."""
