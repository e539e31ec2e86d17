"""The labs: for each a module with its tasks, named like the lab, and a package with what makes and judges its data."""
