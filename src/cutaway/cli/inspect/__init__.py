"""`cutaway inspect`: one file a question, each answered in the terminal, as a picture, as a page, or as numbers."""
