"""Serves the models that any TFX project pushes, and keeps account of them; see README.md in this folder.

Importing this imports nothing heavy: each module imports TensorFlow, KServe or a registry's client only where it needs it.
"""
