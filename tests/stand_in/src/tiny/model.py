"""What a training makes: how good it is, and whether it breaks when it is served."""

QUALITY = 0.7
BREAKS = False
