"""Model versions: their folders, the checks before they are registered, the workspaces of runs."""
