"""Lab 5: what it gives to the student, and what its checks look at."""
