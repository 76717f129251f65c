"""Run InvokeAI workflows from Python."""
