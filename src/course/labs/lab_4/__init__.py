"""Lab 4: what is delivered, helpers of the notebook, how a DAG is rehearsed, and how answers are judged."""
