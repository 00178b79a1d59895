"""Training from a recipe to a checkpoint: configuration, data, losses and the trainer."""
