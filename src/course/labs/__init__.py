"""The labs, as their notebooks import them: for each a module, named like the lab. What judges them is in `judges`."""
