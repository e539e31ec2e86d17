"""Lab 5, Kubeflow. Its tasks are in `lab_5_kubeflow`.

What it gives to the student:
    given_files:        writes the workspace
    inherited_pipeline: the pipeline of a colleague, from `delays/`, with faults
    notebook:           what the notebook calls: install, mend, try, submit
    install_package:    a package in a folder, as a Dockerfile's `RUN pip install` would put it there
    separate_process:   steps of a pipeline, in a process that has nothing of the notebook

What the checks share:
    pipeline_spec:           reads a compiled pipeline as data
    dockerfile_instructions: the language of a Dockerfile
    image_files:             which files are where in an image, by its Dockerfile

The checks:
    check_image:         task 1: metadata of the package, and what pip installs
    check_dockerfile:    task 1: the Dockerfile
    check_migration:     tasks 2 and 3: the faults of the inherited pipeline, and the mended one
    check_compiled:      task 4: the student's own pipeline, compiled
    check_specification: task 5: questions to its specification
    check_runs:          tasks 6 to 8: runs of it
"""
