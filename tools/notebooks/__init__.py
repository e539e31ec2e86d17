"""Executes the course's notebooks, keeps them in their committed form, and checks their style.

    python -m tools.notebooks save notebooks/00-first-pipeline.ipynb    execute, and store the outputs
    python -m tools.notebooks check-format                              are the notebooks in the committed form?
    python -m tools.notebooks run                                       execute all, compare, report

`form` says what the committed form is, `execute` runs a notebook with papermill, `compare` runs it with nbval, `style` holds
the rules of STYLE.md that a program can check, `run` does it for all notebooks and writes the report.
"""
