"""Programs that run a student's work elsewhere, on other data, and leave what comes of it as files: see `judges.trial`.

A student's code runs in the same process and can read them, so nothing here knows what is expected. `__main__` runs the steps of a trial, one
after the other; each of the others is a step, with a function `main(arguments)`.
"""
