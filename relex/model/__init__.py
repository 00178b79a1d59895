"""The model: a backbone, entity pooling, a linear head, and the checkpoint folder."""
