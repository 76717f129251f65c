"""Many runs of one workflow: the plan with its rows, the submissions, and the outcome of each row."""
