"""Lab 2: what lab 1 leaves behind, the candidates for the gate, and how answers are judged."""
