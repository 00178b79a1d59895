"""The network: a backbone, entity pooling, a linear head, and the folder that keeps them."""
