"""From an example to token ids: markers, tokens with their spans, batches."""
