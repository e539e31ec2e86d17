"""Does a step of the pipeline, and ends with its exit status: `engines.airflow.step` with this lab's settings.

`lab.airflow` keeps a process ready that has imported TFX, and says where by a variable. Then that one forks for the step; otherwise this process
becomes the step, which takes some ten seconds longer.
"""

import os
import sys

PACKAGE, PROJECT = "@PACKAGE@", "@PROJECT@"

os.environ["PYTHONPATH"] = PACKAGE
os.execv(sys.executable, [sys.executable, "-m", "engines.airflow.step", *sys.argv[1:], "--project", PROJECT])
