"""From a recipe to a checkpoint: configuration, losses, metrics, the trainer."""
