"""The exercises of the sample lesson. `COURSE_EXERCISES=sample_exercises` makes them known."""
