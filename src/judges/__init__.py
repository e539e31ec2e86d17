"""What judges the labs: for each lab a module with its tasks, named like the lab, and a package with what makes and judges its data.

None of it can be imported where a submission is graded (see `tools/grade`); on a student's own machine, `course.checks` imports it to check.
"""
