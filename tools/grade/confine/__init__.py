"""Runs a command that is not trusted: in namespaces of its own where Linux permits it, with limits everywhere.

`python -m tools.grade.confine` reads a plan (`plan.Plan`, as JSON) from its standard input, runs the command, and writes frames
(`frames`) to its standard output: each line that the command sent, how it ended, and the files that it left. Only Python's standard
library is imported here.

- `plan`: what is run, what it may see, how much it may use
- `system`: Linux's calls that Python 3.11 does not have
- `room`: the file system that the command sees
- `syscalls`: the system calls that are refused
- `watch`: runs the command, watches time, memory and processes, ends all of it
- `pack`: reads what the command left behind, as data of unknown origin
"""
