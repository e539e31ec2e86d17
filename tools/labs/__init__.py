"""Makes the labs that students get from the solutions, their only source.

    python -m tools.labs             writes labs/ (make labs)
    python -m tools.labs check       says what in solutions/ is not as it should be, and whether labs/ is up to date
    python -m tools.labs hand-out F  copies labs/ to the folder F with the salt of a class (make hand-out)

`source` reads a solution and knows its rules, `generate` lets nbgrader take the solutions out.
"""
