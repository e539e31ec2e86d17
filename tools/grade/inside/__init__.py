"""What runs within the confinement, beside the student's code: nothing that it says is trusted.

`run` executes the notebook, `kernel` is the kernel that it is executed in.
"""
