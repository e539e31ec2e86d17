"""Runs any TFX pipeline: on this machine, on Beam's runners, on Airflow, on Kubeflow Pipelines. README.md says how.

It knows nothing of the pipeline but the function that makes it and a configuration with a few attributes (`engines.settings`).
"""
