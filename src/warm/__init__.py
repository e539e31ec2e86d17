"""One process that has imported TensorFlow, Beam and TFX, and forks for whoever asks: a kernel or a step begins in a moment.

`server` is the process, `client` what asks it, `kernels` how Jupyter does. Nothing of a project is in the process: what is forked imports its
project's code anew, so an edited file is always read.
"""
