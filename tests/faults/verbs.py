"""The verbs, in every state of a job."""
