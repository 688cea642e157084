"""ONNX, the format in which networks travel between runtimes.

`graph` is the network as a list of operations; `save` puts weights and graph into a file. The door to the library.
"""
