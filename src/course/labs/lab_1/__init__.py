"""Lab 1: the questions, the months that are delivered, the faults in one of them, and how answers are judged."""
