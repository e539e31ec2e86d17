"""Lab 3, pipeline. Its tasks are in `lab_3_pipeline`.

What it gives to the student:
    months:           January, February, and March as the sender spoilt it
    inherited_store:  a metadata store that others have left
    solution_package: the package as the solution leaves it, for labs 4 and 5; it lies in `checkpoint/`

What the checks share:
    runs:           the runs of a metadata store, and what their artifacts hold
    elsewhere:      runs the package in another folder, on months of the check; no task asks it yet

The checks:
    check_package:  task 1: the package, by the text of its files
    check_january:  task 2: January's run
    check_cache:    task 3: what came from the cache
    check_february: task 4: February's run
    check_refused:  task 5: a month that is refused
    check_lineage:  task 6: what a served version was made from
"""
