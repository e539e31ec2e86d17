"""Lab 3: what is delivered, helpers of the notebook, and how answers are judged: by the package's text and by what the store tells of its runs."""
