"""The shapes of route groups that are too long to stand beside their routes; `api.shape` says what a shape is."""
