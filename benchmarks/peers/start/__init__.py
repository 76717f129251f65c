"""The shortest scripts that submit a run, one for each contestant: `python SCRIPT URL WORKFLOW GRAPH`."""
