"""Grades a folder of submissions of a lab: `make grade SUBMISSIONS=folder LAB=lab-1-data`.

Student code is not trusted, and neither is anything that it wrote:

- `collect` finds the submissions, copies them (`left`) and reads them as data, `platforms` knows what Moodle and Canvas call them, and `rebuild` makes of each a
  notebook with the lab's own check cells
- `running` has it run in a confined process (`box`), in which `inside` executes the cells; out come the answers, what cells showed, and the
  workspace's files. `judge` evaluates the checks on those in a process that never ran student code (`apart`); trials are run in a box, too
- `marks` has nbgrader enter the points in its gradebook and make the feedback page (`converters`, in a process `apart`; `feedback` is
  what both know of a page)
- `table` makes what an instructor reads, and what platforms import
- `grading` is the whole: it proves first that the lab's own solution gets full marks here, and has the table whole at each moment
"""
