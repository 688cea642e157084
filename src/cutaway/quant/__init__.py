"""Weights as whole numbers: fewer bytes to read, so faster to write with, and what that costs.

`rounding.py` chooses scales and rounds to nearest; `gptq.py` rounds so that errors cancel in what the layer computes,
`descent.py` improves on that, and `fit.py` is one matrix by either method. `moments.py` listens to a layer's inputs,
`network.py` goes through the layers, `calibration.py` is the text they read meanwhile, `cost.py` measures what was
lost, and `checkpoint.py` is all of it, from a model's name to a folder.
"""
