"""Grades a folder of submissions of a lab: `make grade SUBMISSIONS=folder LAB=lab-1-data`.

Student code is not trusted, and neither is anything that it wrote:

- `collect` finds the submissions and reads them as data, `rebuild` makes of each a notebook with the lab's own check cells
- `box` runs it in a confined process (`confine`, or `docker`), in which `inside` executes the cells; out come the answers, what cells showed,
  and the workspace's files
- `judge` evaluates the checks on those in a process that never ran student code
- `marks` lets nbgrader enter the points in its gradebook, and write the feedback pages
- `table` writes the table
- `grading` is the whole; `reference` proves first that the lab's own solution gets full marks here
"""
