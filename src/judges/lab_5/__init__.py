"""Lab 5, Kubeflow. Its tasks are in `lab_5_kubeflow`.

What it gives to the student:
    given_files:        writes the workspace
    inherited_pipeline: the pipeline of a colleague, from `delays/`, with faults

What the checks share:
    elsewhere:     the trials: a Dockerfile done, packages installed, compiled and run, on flights of the check
    specification: compiled pipelines as data, and what sets two apart

The checks:
    check_image:         task 1: what pip makes of the package, and what the Dockerfile leaves
    check_migration:     tasks 2 and 3: the faults of the inherited pipeline, and the mended one; `as_it_was.json` is what it should do
    check_compiled:      task 4: the student's own pipeline, compiled
    check_specification: task 5: questions to its specification
    check_runs:          tasks 6 to 8: runs of it
"""
