"""What happens inside a served model, over HTTP: traces as safetensors, and views for the page as JSON.

Everything here asks PyTorch's model, which is opened when it is first wanted, one question at a time.
"""
