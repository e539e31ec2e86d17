"""Lab 5, Kubeflow. Its tasks are in `lab_5_kubeflow`.

What it gives to the student:
    given_files:        writes the workspace
    inherited_pipeline: the pipeline of a colleague, from `delays/`, with faults

What the checks share:
    compiled_answer:         the specification that an answer names, and whether Transform waits for the gate
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
