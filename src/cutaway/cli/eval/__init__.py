"""`cutaway eval`: how good a model is."""
