"""Lab 2, model: what the notebook imports."""

from course.checks import deliver
from course.labs.csv_files import read
from course.labs.lab_2.notebook import as_module, to_examples

__all__ = ["as_module", "deliver", "read", "to_examples"]
