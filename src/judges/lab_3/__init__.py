"""Lab 3, pipeline. Its tasks are in `lab_3_pipeline`.

What it gives to the student:
    months:           January, February, and March as the sender spoilt it
    inherited_store:  a metadata store that others have left
    solution_package: the package as the solution leaves it, for labs 4 and 5; it lies in `checkpoint/`

The checks:
    own_runs:       tasks 2 to 5: what the student's own runs have left
    elsewhere:      tasks 1 to 5: what the package does in another folder, on months of the check
    check_lineage:  task 6: what a served version was made from
"""
