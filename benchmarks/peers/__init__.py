"""Our decoding against that of other libraries: `python -m benchmarks.peers --help`.

`environments` installs them, `models` makes the checkpoint and converts it, `contestants` lists who takes part,
`measure` starts one `worker` each and lets them take turns, `table` and `picture` show what came of it.
"""
