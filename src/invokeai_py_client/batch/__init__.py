"""Many runs of one workflow: a plan of rows, its submissions, and what came of each row."""
